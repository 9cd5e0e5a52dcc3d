import { constants } from 'node:os';
import { bindLibc } from './libc.ts';

const call = bindLibc<[number, number, string, number, null, number]>(
  'long syscall(long, int, const char *, unsigned int, void *, size_t)',
);
// The same number on every architecture.
const number = 442;

/** Whether the kernel has mount_setattr(2) (5.12): asked with a size that every version refuses as EINVAL. */
export function hasMountSetattr(): boolean {
  return call(number, -1, '', 0, null, 0).errno === constants.errno.EINVAL;
}
