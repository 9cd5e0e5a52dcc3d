import { closeSync, readSync } from 'node:fs';
import { codeOf } from '../base/errors.ts';
import { bindLibc, check } from './libc.ts';

const eventfd = bindLibc<[number, number]>('int eventfd(unsigned int, int)');
// O_CLOEXEC and O_NONBLOCK, the same on x86-64 and arm64.
const closeOnExec = 0o2000000;
const nonBlocking = 0o4000;

/** A counter that the kernel raises. eventfd(2) */
export class EventFd implements Disposable {
  readonly fd: number;

  constructor() {
    this.fd = check(eventfd(0, closeOnExec | nonBlocking), { syscall: 'eventfd' });
  }

  /** How often it was raised since it was asked last; does not wait. */
  take(): number {
    const count = Buffer.alloc(8);
    try {
      readSync(this.fd, count);
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return 0;
      throw error;
    }
    return Number(count.readBigUInt64LE());
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}
