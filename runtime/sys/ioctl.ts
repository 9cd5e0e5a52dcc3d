import type { SystemErrorFields } from '../base/errors.ts';
import { bindLibc, check } from './libc.ts';

const ioctlNumber = bindLibc<[number, number, bigint]>('int ioctl(int, unsigned long, unsigned long)');
const ioctlBuffer = bindLibc<[number, number, Uint8Array]>('int ioctl(int, unsigned long, void *)');

/**
 * A request whose argument is a number, or a structure the kernel reads or fills in place. `op` says in words what
 * is being done, for the error text. ioctl(2)
 */
export function ioctl(
  fd: number,
  request: number,
  argument: bigint | Uint8Array,
  fields: Omit<SystemErrorFields, 'errno' | 'syscall'> = {},
): number {
  const outcome =
    typeof argument === 'bigint' ? ioctlNumber(fd, request, argument) : ioctlBuffer(fd, request, argument);
  return check(outcome, { syscall: 'ioctl', ...fields });
}
