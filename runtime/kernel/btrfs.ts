import { type FileHandle, open } from 'node:fs/promises';
import { codeOf } from '../base/errors.ts';
import { ioctl } from '../sys/ioctl.ts';

// <linux/btrfs.h>; sizes are part of the numbers.
const SNAP_CREATE = 0x50009401;
const SUBVOL_CREATE = 0x5000940e;
const SNAP_DESTROY = 0x5000940f;
const TREE_SEARCH = 0xd0009411;
const INO_LOOKUP = 0xd0009412;
const SYNC = 0x9408;
const QUOTA_CTL = 0xc0109428;
const QGROUP_CREATE = 0x4010942a;
const QGROUP_LIMIT = 0x8030942b;
const QUOTA_RESCAN_WAIT = 0x942e;

/** `struct btrfs_ioctl_vol_args`, `…_search_args` and `…_ino_lookup_args` are one page each. */
const pageSize = 4096;
const largestName = 255;
const quotaEnable = 1n;
const limitReferenced = 1n;

// <linux/btrfs_tree.h>
const rootTree = 1n;
const rootRef = 156;
/** Inode number of every subvolume's root folder. */
export const subvolumeInode = 256;

/** `f_type` of statfs(2). */
export const btrfsMagic = 0x9123683e;

/** A new empty subvolume `name` in `folder`. */
export async function createSubvolume(folder: string, name: string): Promise<void> {
  await using parent = await open(folder);
  ioctl(parent.fd, SUBVOL_CREATE, volumeArguments(0, name), {
    op: `create subvolume ${JSON.stringify(name)}`,
    path: folder,
  });
}

/** A new subvolume that starts as the one at `source`, writable. Subvolumes inside of it are empty folders there. */
export async function createSnapshot(source: string, folder: string, name: string): Promise<void> {
  await using origin = await open(source);
  await using parent = await open(folder);
  ioctl(parent.fd, SNAP_CREATE, volumeArguments(origin.fd, name), {
    op: `create snapshot ${JSON.stringify(name)} of ${JSON.stringify(source)}`,
    path: folder,
  });
}

/**
 * Afterwards the subvolume and all that are in it are gone, with their quota groups. ENOENT where there is none. Open files keep
 * what they need until they are closed.
 */
export async function destroySubvolume(folder: string, name: string): Promise<void> {
  await using parent = await open(folder);
  await destroyIn(parent, Buffer.from(name));
}

/** Number of the subvolume that an open file or folder is in. */
export function subvolumeId(file: FileHandle): bigint {
  const args = Buffer.alloc(pageSize);
  args.writeBigUInt64LE(BigInt(subvolumeInode), 8);
  ioctl(file.fd, INO_LOOKUP, args, { op: 'ask for the number of a subvolume' });
  return args.readBigUInt64LE(0);
}

/**
 * Afterwards the file system counts what subvolumes use (quota groups). It stays on: the host may have wanted it before us. Waits
 * until what is there has been counted.
 */
export async function enableQuota(folder: string): Promise<void> {
  await using handle = await open(folder);
  const args = Buffer.alloc(16);
  args.writeBigUInt64LE(quotaEnable, 0);
  ioctl(handle.fd, QUOTA_CTL, args, { op: 'switch on btrfs quotas', path: folder });
  ioctl(handle.fd, QUOTA_RESCAN_WAIT, 0n, { op: 'wait until btrfs has counted', path: folder });
}

/** Afterwards the subvolume refers to at most so many bytes, what it shares with others included; more is EDQUOT. */
export async function limitSubvolume(path: string, bytes: number): Promise<void> {
  await using handle = await open(path);
  const args = Buffer.alloc(48);
  // Group 0 is the subvolume of the descriptor.
  args.writeBigUInt64LE(limitReferenced, 8);
  args.writeBigUInt64LE(BigInt(bytes), 16);
  ioctl(handle.fd, QGROUP_LIMIT, args, { op: `limit subvolume to ${bytes} bytes`, path });
}

/** Afterwards everything written before is on the disk, and deleted subvolumes have been begun to be cleaned. */
export async function syncFileSystem(folder: string): Promise<void> {
  await using handle = await open(folder);
  ioctl(handle.fd, SYNC, 0n, { op: 'sync the btrfs file system', path: folder });
}

async function destroyIn(parent: FileHandle, name: Buffer): Promise<void> {
  const path = Buffer.concat([Buffer.from(`/proc/self/fd/${parent.fd}/`), name]);
  const subvolume = await open(path);
  let id: bigint;
  try {
    id = subvolumeId(subvolume);
    const destroy = () =>
      ioctl(parent.fd, SNAP_DESTROY, volumeArguments(0, name), {
        op: `delete subvolume ${JSON.stringify(name.toString())}`,
      });
    try {
      destroy();
    } catch (error) {
      if (codeOf(error) !== 'ENOTEMPTY') throw error;
      await destroyNested(subvolume, id);
      destroy();
    }
  } finally {
    await subvolume.close();
  }
  forgetQuotaGroup(parent, id);
}

// By the root tree and not by a walk: a container may have millions of files beside one subvolume.
async function destroyNested(subvolume: FileHandle, id: bigint): Promise<void> {
  for (const { folder, name } of nestedSubvolumes(subvolume, id)) {
    const path = Buffer.concat([
      Buffer.from(`/proc/self/fd/${subvolume.fd}/`),
      folderPath(subvolume, id, folder),
    ]);
    await using parent = await open(path);
    await destroyIn(parent, name);
  }
}

interface Nested {
  /** Inode number of the folder it is in. */
  readonly folder: bigint;
  readonly name: Buffer;
}

function nestedSubvolumes(file: FileHandle, id: bigint): readonly Nested[] {
  const found: Nested[] = [];
  // A page of answers at a time; `from` is the first child number still to be seen.
  for (let from = 0n; ; ) {
    const page = searchReferences(file, id, from);
    found.push(...page.map(({ nested }) => nested));
    const last = page.at(-1);
    if (!last) return found;
    from = last.child + 1n;
  }
}

/** `struct btrfs_ioctl_search_key`, then items: header of 32 bytes and `struct btrfs_root_ref` with the name behind it. */
function searchReferences(file: FileHandle, id: bigint, from: bigint) {
  const args = Buffer.alloc(pageSize);
  const max64 = 2n ** 64n - 1n;
  args.writeBigUInt64LE(rootTree, 0);
  args.writeBigUInt64LE(id, 8);
  args.writeBigUInt64LE(id, 16);
  args.writeBigUInt64LE(from, 24);
  args.writeBigUInt64LE(max64, 32);
  args.writeBigUInt64LE(max64, 48);
  args.writeUInt32LE(rootRef, 56);
  args.writeUInt32LE(rootRef, 60);
  args.writeUInt32LE(1024, 64);
  ioctl(file.fd, TREE_SEARCH, args, { op: `look for subvolumes in subvolume ${id}` });
  const items: { readonly child: bigint; readonly nested: Nested }[] = [];
  let at = 104;
  for (let left = args.readUInt32LE(64); left > 0; left--) {
    const child = args.readBigUInt64LE(at + 16);
    const length = args.readUInt32LE(at + 28);
    const item = args.subarray(at + 32, at + 32 + length);
    const nameLength = item.readUInt16LE(16);
    items.push({
      child,
      nested: { folder: item.readBigUInt64LE(0), name: Buffer.from(item.subarray(18, 18 + nameLength)) },
    });
    at += 32 + length;
  }
  return items;
}

/** Path of a folder below its subvolume's root; ends in a slash, or is empty for the root. */
function folderPath(file: FileHandle, id: bigint, inode: bigint): Buffer {
  const args = Buffer.alloc(pageSize);
  args.writeBigUInt64LE(id, 0);
  args.writeBigUInt64LE(inode, 8);
  ioctl(file.fd, INO_LOOKUP, args, { op: `look up folder ${inode} of subvolume ${id}` });
  return Buffer.from(args.subarray(16, args.indexOf(0, 16)));
}

// Since 6.11 the kernel forgets the group itself; before, groups of deleted subvolumes pile up.
function forgetQuotaGroup(file: FileHandle, id: bigint): void {
  const args = Buffer.alloc(16);
  args.writeBigUInt64LE(id, 8);
  try {
    ioctl(file.fd, QGROUP_CREATE, args, { op: `forget quota group 0/${id}` });
  } catch (error) {
    const code = codeOf(error) ?? '';
    // Quotas are off; it is gone; the kernel does it when it has dropped the subvolume.
    if (!['ENOTCONN', 'EINVAL', 'ENOENT', 'EBUSY'].includes(code)) throw error;
  }
}

function volumeArguments(fd: number, name: string | Buffer): Buffer {
  const bytes = Buffer.from(name);
  if (bytes.length === 0 || bytes.length > largestName)
    throw new Error(`no subvolume name: ${bytes.toString()}`);
  const args = Buffer.alloc(pageSize);
  args.writeBigInt64LE(BigInt(fd), 0);
  bytes.copy(args, 8);
  return args;
}
