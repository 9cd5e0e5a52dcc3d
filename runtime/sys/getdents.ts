import { closeSync, openSync } from 'node:fs';
import { bindLibc, check } from './libc.ts';

// glibc has a wrapper only since 2.30; the numbers are from <asm/unistd.h>.
const getdentsNumber = process.arch === 'arm64' ? 61 : 217;
const getdents = bindLibc<[number, number, Uint8Array, number]>('long syscall(long, int, void *, long)');

/** Whether directory entries come with their file types (d_type): false where any is DT_UNKNOWN. getdents(2) */
export function hasFileTypes(folder: string): boolean {
  const fd = openSync(folder, 'r');
  try {
    const buffer = Buffer.alloc(32768);
    const length = check(getdents(getdentsNumber, fd, buffer, buffer.length), {
      syscall: 'getdents64',
      path: folder,
    });
    // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name.
    for (let at = 0; at < length; at += buffer.readUInt16LE(at + 16)) {
      if (buffer.readUInt8(at + 18) === 0) return false;
    }
    return true;
  } finally {
    closeSync(fd);
  }
}
