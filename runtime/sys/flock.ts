import { bindLibc, check } from './libc.ts';

// <fcntl.h>, the same on every architecture.
const lockShared = 1;
const lockExclusive = 2;
const lockNonBlocking = 4;
const lockRelease = 8;

const flock = bindLibc<[number, number]>('int flock(int, int)');

/**
 * Takes an advisory lock of the whole file without waiting. Answers false where another open file description has
 * it. The lock ends when the last copy of the descriptor is closed, however its process ended. flock(2)
 */
export function tryFlock(fd: number, kind: 'exclusive' | 'shared' = 'exclusive'): boolean {
  const outcome = flock(fd, (kind === 'exclusive' ? lockExclusive : lockShared) | lockNonBlocking);
  // EWOULDBLOCK is 11 on every architecture Node runs on under Linux.
  if (outcome.value === -1 && outcome.errno === 11) return false;
  check(outcome, { syscall: 'flock' });
  return true;
}

/** flock(2) */
export function unlockFlock(fd: number): void {
  check(flock(fd, lockRelease), { syscall: 'flock' });
}
