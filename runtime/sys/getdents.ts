import { closeSync, constants, openSync } from 'node:fs';
import { bindLibc, check } from './libc.ts';

// glibc has a wrapper only since 2.30; the numbers are from <asm/unistd.h>.
const getdentsNumber = process.arch === 'arm64' ? 61 : 217;
const getdents = bindLibc<[number, number, Uint8Array, number]>('long syscall(long, int, void *, long)');

/** A name as its folder has it. */
export interface DirectoryRecord {
  /** Bytes, as latin1. */
  readonly name: string;
  readonly inode: number;
  /** DT_* of <dirent.h>; 0 where the file system does not tell. */
  readonly type: number;
}

/** DT_DIR of <dirent.h>. */
export const directoryType = 4;

/** The records of a folder, one after the other, as the kernel gives them: `.` and `..` too. getdents(2) */
export function readRecords(folder: string | Buffer): Buffer {
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const pieces: Buffer[] = [];
    for (;;) {
      const outcome = getdents(getdentsNumber, fd, scratch, scratch.length);
      if (outcome.value === -1) check(outcome, { syscall: 'getdents64', path: folder.toString() });
      if (outcome.value === 0) break;
      pieces.push(Buffer.from(scratch.subarray(0, outcome.value)));
    }
    const [first] = pieces;
    return first && pieces.length === 1 ? first : Buffer.concat(pieces);
  } finally {
    closeSync(fd);
  }
}

/** For all calls, which are synchronous: a walk makes thousands of them. */
const scratch = Buffer.allocUnsafeSlow(65_536);

/** Those of the records that are wanted, in the folder's own order, never `.` and `..`. */
export function* recordsIn(
  records: Buffer,
  wanted: (inode: number, type: number) => boolean = () => true,
): Generator<DirectoryRecord> {
  // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name.
  for (let at = 0, next = 0; at < records.length; at = next) {
    next = at + records.readUInt16LE(at + 16);
    const inode = records.readUInt32LE(at) + records.readUInt32LE(at + 4) * 2 ** 32;
    const type = records[at + 18] ?? 0;
    if (!wanted(inode, type)) continue;
    const start = at + 19;
    const name = records.toString('latin1', start, records.indexOf(0, start));
    if (name !== '.' && name !== '..') yield { name, inode, type };
  }
}

/** Whether directory entries come with their file types (d_type): false where any is DT_UNKNOWN. getdents(2) */
export function hasFileTypes(folder: string): boolean {
  let unknown = 0;
  // Of an empty folder `.` and `..` tell it.
  const count = (_inode: number, type: number): boolean => {
    if (type === 0) unknown++;
    return false;
  };
  for (const _ of recordsIn(readRecords(folder), count));
  return unknown === 0;
}
