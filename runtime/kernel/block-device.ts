import { open, readFile, stat } from 'node:fs/promises';
import { codeOf, HullError } from '../base/errors.ts';
import { ioctl } from '../sys/ioctl.ts';
import { splitDevice } from '../sys/mknod.ts';

// <linux/fs.h>
const BLKGETSIZE64 = 0x80081272;
const BLKDISCARD = 0x1277;

export interface BlockDevice {
  readonly major: number;
  readonly minor: number;
  /** Bytes. */
  readonly size: number;
}

/** The block device at `path`; kind `invalid` where there is none. */
export async function readBlockDevice(path: string): Promise<BlockDevice> {
  const found = await stat(path).catch((error: unknown) => codeOf(error) ?? 'an error');
  if (typeof found === 'string' || !found.isBlockDevice()) {
    const what = typeof found === 'string' ? found : 'another kind of file';
    throw new HullError(`Cannot use ${JSON.stringify(path)}: found ${what}, wanted a block device`, {
      kind: 'invalid',
    });
  }
  await using handle = await open(path);
  const size = Buffer.alloc(8);
  ioctl(handle.fd, BLKGETSIZE64, size, { op: 'ask for the size of a device', path });
  return { ...splitDevice(found.rdev), size: Number(size.readBigUInt64LE(0)) };
}

/** devtmpfs's node of the block device `<major>:<minor>`. */
export async function nodeOfNumber(number: string): Promise<string> {
  const text = await readFile(`/sys/dev/block/${number}/uevent`, 'utf8');
  const name = /^DEVNAME=(.+)$/m.exec(text)?.[1];
  if (name !== undefined) return `/dev/${name}`;
  throw new HullError(`Cannot find the node of block device ${number}: the kernel has no name for it`, {
    kind: 'unsupported',
  });
}

/** Tells the device that none of its content is needed any more. Answers false where it cannot take that. */
export async function discardDevice(path: string): Promise<boolean> {
  const { size } = await readBlockDevice(path);
  await using handle = await open(path, 'r+');
  const range = Buffer.alloc(16);
  range.writeBigUInt64LE(BigInt(size), 8);
  try {
    ioctl(handle.fd, BLKDISCARD, range, { op: 'discard a device', path });
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOTSUP' || codeOf(error) === 'EOPNOTSUPP') return false;
    throw error;
  }
}
