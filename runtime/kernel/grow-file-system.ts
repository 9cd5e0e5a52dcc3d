import { open, statfs } from 'node:fs/promises';
import { ioctl } from '../sys/ioctl.ts';

// <linux/ext4.h> and <xfs/xfs_fs.h>
const EXT4_IOC_RESIZE_FS = 0x40086610;
const XFS_IOC_FSGEOMETRY_V1 = 0x80705864;
const XFS_IOC_FSGROWFSDATA = 0x4010586e;
const geometrySize = 112;

/** Afterwards the mounted file system uses `bytes` of its device, or a little less. It never becomes smaller. */
export async function growFileSystem(folder: string, type: 'ext4' | 'xfs', bytes: number): Promise<void> {
  await using root = await open(folder);
  const op = { op: `grow the ${type} file system to ${bytes} bytes`, path: folder };
  if (type === 'ext4') {
    const { bsize } = await statfs(folder);
    const blocks = Buffer.alloc(8);
    blocks.writeBigUInt64LE(BigInt(Math.floor(bytes / bsize)));
    ioctl(root.fd, EXT4_IOC_RESIZE_FS, blocks, op);
    return;
  }
  const geometry = Buffer.alloc(geometrySize);
  ioctl(root.fd, XFS_IOC_FSGEOMETRY_V1, geometry, op);
  const blocks = BigInt(Math.floor(bytes / geometry.readUInt32LE(0)));
  // What is to be used already is refused as an attempt to shrink.
  if (blocks <= geometry.readBigUInt64LE(32)) return;
  const wanted = Buffer.alloc(16);
  wanted.writeBigUInt64LE(blocks, 0);
  wanted.writeUInt32LE(geometry.readUInt32LE(28), 8);
  ioctl(root.fd, XFS_IOC_FSGROWFSDATA, wanted, op);
}
