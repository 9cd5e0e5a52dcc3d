import { spawnSync } from 'node:child_process';
import { inheritedDescriptors } from '../launch/inherited-descriptors.ts';
import { keepOnExecute } from '../sys/process.ts';

/**
 * Builds anew, in a process of its own, and becomes what that says: a word a line, the call's arguments behind them. The caller's descriptors
 * stay open; Node has marked them close-on-exec when it started.
 */
export function becomeAnew(make: readonly string[], args: readonly string[]): never {
  const [file = '', ...words] = make;
  const { status, stdout, error } = spawnSync(file, words, {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  const [program, ...rest] = stdout?.trimEnd().split('\n') ?? [];
  if (status !== 0 || !program)
    throw new Error(
      `Cannot build hull-oci anew: ${make.join(' ')}: ${error?.message ?? `exit status ${status}`}`,
    );
  for (const fd of inheritedDescriptors(1024).keys()) if (fd > 2) keepOnExecute(fd);
  process.execve?.(program, [program, ...rest, ...args]);
  throw new Error('process.execve returned');
}
