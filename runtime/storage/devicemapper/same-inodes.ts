import type { FileHandle } from 'node:fs/promises';
import type { Ext4Tables } from './ext4-tables.ts';

/** Bytes of a device, `end` not among them. */
export interface ByteRange {
  readonly begin: number;
  readonly end: number;
}

/** One of two file systems, one of which was once a copy of the other. */
export interface Ext4Device {
  readonly device: FileHandle;
  readonly tables: Ext4Tables;
}

/**
 * Whether an inode is, byte for byte, the same in both file systems. It is told only of those that were shown to be: because they lie in
 * `sameBlocks`, ascending ranges that the devices share, or because both were read and compared.
 *
 * Then all that a tree shows of a file is the same: type, mode, owner, size, times, links and attributes are in its inode, or in a block of
 * attributes that ext4 never changes without the inode's ctime. What a folder's names are must be read.
 */
export async function findSameInodes(
  own: Ext4Device,
  parent: Ext4Device,
  sameBlocks: readonly ByteRange[],
): Promise<(inode: number) => boolean> {
  const { inodesPerGroup, inodeSize } = own.tables;
  const same = new Uint8Array(own.tables.groups.length * inodesPerGroup);
  for (const [group, { start, used }] of own.tables.groups.entries()) {
    const before = parent.tables.groups[group];
    // A group that the parent lacks or has elsewhere: nothing is known of it.
    if (before?.start !== start) continue;
    const length = Math.max(used, before.used) * inodeSize;
    const first = group * inodesPerGroup;
    // Whole inodes: both ends are a multiple of a block's size from the table's start.
    const mark = ({ begin, end }: ByteRange) =>
      same.fill(
        1,
        first + Math.ceil((begin - start) / inodeSize),
        first + Math.floor((end - start) / inodeSize),
      );
    let at = start;
    for (const range of overlaps(sameBlocks, { begin: start, end: start + length })) {
      for await (const equal of equalInodes(own, parent, { begin: at, end: range.begin })) mark(equal);
      mark(range);
      at = range.end;
    }
    for await (const equal of equalInodes(own, parent, { begin: at, end: start + length })) mark(equal);
  }
  // Inode numbers begin with 1.
  return (inode) => same[inode - 1] === 1;
}

/** The parts of ascending ranges that lie in another. */
export function* overlaps(ranges: readonly ByteRange[], { begin, end }: ByteRange): Generator<ByteRange> {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle]?.end ?? 0) <= begin) low = middle + 1;
    else high = middle;
  }
  for (let at = low; at < ranges.length; at++) {
    const range = ranges[at];
    if (!range || range.begin >= end) return;
    yield { begin: Math.max(range.begin, begin), end: Math.min(range.end, end) };
  }
}

async function* equalInodes(own: Ext4Device, parent: Ext4Device, { begin, end }: ByteRange) {
  const { inodeSize } = own.tables;
  for (let at = begin; at < end; at += chunk) {
    const length = Math.min(chunk, end - at);
    const [a, b] = await Promise.all([
      readBytes(own.device, at, length),
      readBytes(parent.device, at, length),
    ]);
    if (a.equals(b)) {
      yield { begin: at, end: at + length };
      continue;
    }
    for (let inode = 0; inode < length; inode += inodeSize) {
      const next = inode + inodeSize;
      if (a.compare(b, inode, next, inode, next) === 0) yield { begin: at + inode, end: at + next };
    }
  }
}

/** Exactly so many. */
export async function readBytes(device: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await device.read(Buffer.alloc(length), 0, length, offset);
  if (bytesRead === length) return buffer;
  throw new Error(`Cannot read ${length} bytes of a device at ${offset}: found ${bytesRead}`);
}

/** Bytes that are read at once, a multiple of every inode's size. */
const chunk = 1024 ** 2;
