import { closeSync } from 'node:fs';
import { bindLibc, check } from './libc.ts';

const pidfdOpen = bindLibc<[number, number, number]>('long syscall(long, int, unsigned int)');
const pidfdGetfd = bindLibc<[number, number, number, number]>('long syscall(long, int, int, unsigned int)');

const numbers = { pidfdOpen: 434, pidfdGetfd: 438 } as const;

/** pidfd_getfd(2), Linux 5.6: a copy of another process's descriptor, close-on-exec. */
export function takeDescriptor(pid: number, fd: number): number {
  const pidfd = check(pidfdOpen(numbers.pidfdOpen, pid, 0), {
    syscall: 'pidfd_open',
    op: `open process ${pid}`,
  });
  try {
    return check(pidfdGetfd(numbers.pidfdGetfd, pidfd, fd, 0), {
      syscall: 'pidfd_getfd',
      op: `take descriptor ${fd} of process ${pid}`,
    });
  } finally {
    closeSync(pidfd);
  }
}
