import { errnoName } from '../base/errors.ts';
import type { LaunchStep } from './types.ts';

/**
 * A step of a launch program that failed; nothing of what was to be started is left.
 * Text: `Cannot mount "proc" at "/proc": EPERM, step 14 of 52`.
 */
export class LaunchError extends Error {
  override readonly name: string = 'LaunchError';
  readonly step: LaunchStep;
  readonly code: string;
  /** Negative, as Node has it. */
  readonly errno: number;

  constructor(step: LaunchStep, errno: number) {
    const code = errnoName(errno);
    super(`Cannot ${step.what}: ${code}, step ${step.index} of ${step.total}`);
    this.step = step;
    this.code = code;
    this.errno = -errno;
  }

  /** What Docker and the shells report: 127 no such command, 126 not allowed to run it, 128 any other step. */
  get exitCode(): 126 | 127 | 128 {
    if (this.step.syscall !== 'execve' && this.step.syscall !== 'faccessat2') return 128;
    if (this.code === 'ENOENT' || this.code === 'ENOTDIR') return 127;
    return ['EACCES', 'EISDIR', 'ENOEXEC'].includes(this.code) ? 126 : 128;
  }
}
