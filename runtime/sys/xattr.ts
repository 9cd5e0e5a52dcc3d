import { SystemError } from '../base/errors.ts';
import { bindLibc, check } from './libc.ts';

const lgetxattr = bindLibc<[string, string, Uint8Array, number]>(
  'long lgetxattr(const char *, const char *, void *, size_t)',
);
const lsetxattr = bindLibc<[string, string, Uint8Array, number, number]>(
  'int lsetxattr(const char *, const char *, const void *, size_t, int)',
);
const llistxattr = bindLibc<[string, Uint8Array, number]>('long llistxattr(const char *, void *, size_t)');

// XATTR_SIZE_MAX and XATTR_LIST_MAX of <linux/limits.h>.
const largest = 65536;

/** The value, or undefined where the file has no such attribute. Links are not followed. lgetxattr(2) */
export function getXattr(path: string, name: string): Buffer | undefined {
  const buffer = Buffer.alloc(largest);
  const outcome = lgetxattr(path, name, buffer, largest);
  // ENODATA, the same number on every Linux architecture Node runs on.
  if (outcome.value === -1 && outcome.errno === 61) return undefined;
  const length = check(outcome, { syscall: 'lgetxattr', path });
  return Buffer.from(buffer.subarray(0, length));
}

/** Afterwards the attribute has this value. Links are not followed. lsetxattr(2) */
export function setXattr(path: string, name: string, value: Uint8Array): void {
  const outcome = lsetxattr(path, name, value, value.byteLength, 0);
  if (outcome.value !== -1) return;
  throw new SystemError({
    errno: outcome.errno,
    syscall: 'lsetxattr',
    path,
    op: `set attribute ${name} of ${JSON.stringify(path)}`,
  });
}

/** Names of all attributes this process may see. Links are not followed. llistxattr(2) */
export function listXattrs(path: string): readonly string[] {
  const buffer = Buffer.alloc(largest);
  const length = check(llistxattr(path, buffer, largest), { syscall: 'llistxattr', path });
  return buffer.toString('utf8', 0, length).split('\0').filter(Boolean);
}
