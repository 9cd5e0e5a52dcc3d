import { errnoName } from '../base/errors.ts';
import { bindLibc, check, type Outcome } from './libc.ts';

/** A path as the kernel sees it: bytes, which need not be UTF-8, without a NUL. */
export type RawPath = Uint8Array;

const utimensat = bindLibc<[number, Uint8Array, Uint8Array, number]>(
  'int utimensat(int, const char *, const void *, int)',
);
const lsetxattr = bindLibc<[Uint8Array, string, Uint8Array, number, number]>(
  'int lsetxattr(const char *, const char *, const void *, size_t, int)',
);
const syncfs = bindLibc<[number]>('int syncfs(int)');
const lgetxattr = bindLibc<[Uint8Array, string, Uint8Array, number]>(
  'long lgetxattr(const char *, const char *, void *, size_t)',
);
const llistxattr = bindLibc<[Uint8Array, Uint8Array, number]>(
  'long llistxattr(const char *, void *, size_t)',
);

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

/**
 * All attributes of a file that this process may see, links not followed; none where the file system knows none.
 * llistxattr(2), lgetxattr(2)
 */
export function readRawXattrs(path: RawPath): ReadonlyMap<string, Buffer> {
  const file = terminated(path);
  const names = grown((buffer) => llistxattr(file, buffer, buffer.length), 'llistxattr', path);
  const found = new Map<string, Buffer>();
  if (names === undefined || names.length === 0) return found;
  for (const name of names.toString('utf8').split('\0')) {
    if (name === '') continue;
    const value = grown((buffer) => lgetxattr(file, name, buffer, buffer.length), 'lgetxattr', path);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/** Most answers are short; the few others get room for the kernel's largest. Undefined where there is no such thing (any more). */
function grown(call: (buffer: Buffer) => Outcome, syscall: string, path: RawPath): Buffer | undefined {
  // XATTR_SIZE_MAX and XATTR_LIST_MAX of <linux/limits.h>.
  for (const size of [256, 65_536]) {
    const buffer = Buffer.alloc(size);
    const outcome = call(buffer);
    if (outcome.value >= 0) return buffer.subarray(0, outcome.value);
    const code = errnoName(outcome.errno);
    if (code === 'ENODATA' || code === 'ENOTSUP') return undefined;
    if (code !== 'ERANGE' || size === 65_536) check(outcome, { syscall, path: shown(path) });
  }
  return undefined;
}

/** Flushes the whole file system that the open file is on. syncfs(2) */
export function syncFileSystem(fd: number): void {
  check(syncfs(fd), { syscall: 'syncfs' });
}

const terminated = (path: RawPath): Uint8Array => Buffer.concat([path, Buffer.of(0)]);

const shown = (path: RawPath): string => Buffer.from(path).toString('utf8');
