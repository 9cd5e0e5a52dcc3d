import { bindLibc, check, type Outcome } from './libc.ts';

// The same number on x86-64 and arm64; Linux has it since 5.14.
const quotactlFdNumber = 443;
const noSuchCall = 38;

const quotactlFd = bindLibc<[number, number, number, number, Uint8Array]>(
  'long syscall(long, int, unsigned int, int, void *)',
);
const quotactlDevice = bindLibc<[number, string, number, Uint8Array]>(
  'int quotactl(int, const char *, int, void *)',
);

/** A file system, by an open file on it and, for kernels before 5.14, its block device. */
export interface QuotaFileSystem {
  readonly fd: number;
  readonly device: string;
}

/** A quota command for the id, filling or reading `argument`. quotactl(2) */
export function quotactl(
  { fd, device }: QuotaFileSystem,
  command: number,
  id: number,
  argument: Uint8Array,
  op: string,
): void {
  let outcome: Outcome = quotactlFd(quotactlFdNumber, fd, command, id | 0, argument);
  if (outcome.value === -1 && outcome.errno === noSuchCall) {
    outcome = quotactlDevice(command, device, id | 0, argument);
  }
  check(outcome, { syscall: 'quotactl', path: device, op });
}
