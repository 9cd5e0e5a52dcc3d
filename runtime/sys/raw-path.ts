import { bindLibc, check } from './libc.ts';

/** A path as the kernel sees it: bytes, which need not be UTF-8, without a NUL. */
export type RawPath = Uint8Array;

const utimensat = bindLibc<[number, Uint8Array, Uint8Array, number]>(
  'int utimensat(int, const char *, const void *, int)',
);
const lsetxattr = bindLibc<[Uint8Array, string, Uint8Array, number, number]>(
  'int lsetxattr(const char *, const char *, const void *, size_t, int)',
);
const syncfs = bindLibc<[number]>('int syncfs(int)');

const atCwd = -100;
const atSymlinkNoFollow = 0x100;

/** Sets access and modification time to the nanosecond; links are not followed. utimensat(2) */
export function setRawTimes(path: RawPath, seconds: bigint, nanoseconds: number): void {
  const times = Buffer.allocUnsafe(32);
  for (const offset of [0, 16]) {
    times.writeBigInt64LE(seconds, offset);
    times.writeBigInt64LE(BigInt(nanoseconds), offset + 8);
  }
  check(utimensat(atCwd, terminated(path), times, atSymlinkNoFollow), {
    syscall: 'utimensat',
    path: shown(path),
  });
}

/** Afterwards the attribute has this value; links are not followed. lsetxattr(2) */
export function setRawXattr(path: RawPath, name: string, value: Uint8Array): void {
  check(lsetxattr(terminated(path), name, value, value.byteLength, 0), {
    syscall: 'lsetxattr',
    path: shown(path),
    op: `set attribute ${name} of ${JSON.stringify(shown(path))}`,
  });
}

/** Flushes the whole file system that the open file is on. syncfs(2) */
export function syncFileSystem(fd: number): void {
  check(syncfs(fd), { syscall: 'syncfs' });
}

const terminated = (path: RawPath): Uint8Array => Buffer.concat([path, Buffer.of(0)]);

const shown = (path: RawPath): string => Buffer.from(path).toString('utf8');
