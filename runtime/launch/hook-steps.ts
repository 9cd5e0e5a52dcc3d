import type { Hook } from '../base/oci.ts';
import { words } from './common-steps.ts';
import { named, SIGCHLD } from './constants.ts';
import { quote } from './mount-steps.ts';
import type { Cell } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';

const ECANCELED = 125;

/**
 * Runs a hook in the namespaces, with the root and as the user we have at this point, the state of the container on its stdin (`state`: a
 * file). A hook that ends with another status than 0, or not in time, is a failed step.
 */
export function runHook(
  p: ProgramBuilder,
  hook: Hook,
  options: { readonly kind: string; readonly number: number; readonly state: Cell },
): void {
  const what = `run ${options.kind} hook #${options.number} ${quote(hook.path)}`;
  const pid = p.cell('hook pid');
  const status = p.cell('hook status');
  const parent = p.label(`${what}: wait`);
  const done = p.label(`${what}: done`);
  const failed = p.label(`${what}: failed`);
  p.call('clone', [named(SIGCHLD, 'SIGCHLD'), 0, 0, 0, 0], { what, result: pid, positive: parent });
  p.call('lseek', [options.state, 0, named(0, 'SEEK_SET')], { what });
  p.call('dup3', [options.state, 0, 0], { what });
  if (hook.timeout !== undefined) {
    // The timer outlives the execve, and SIGALRM ends a program that does not care.
    const timer = words(p, `itimerval {value: ${hook.timeout} s}`, [0, 0, hook.timeout, 0]);
    p.call('setitimer', [named(0, 'ITIMER_REAL'), address(timer), 0], { what });
  }
  p.call(
    'execve',
    [
      p.text(hook.path),
      p.vector('hook argv', hook.args ?? [hook.path]),
      p.vector('hook envp', hook.env ?? []),
    ],
    { what },
  );
  p.place(parent);
  p.call('wait4', [pid, address(status.area), 0, 0], { what });
  p.local(status, { mask: 0xffffn, zero: done, negative: failed, positive: failed });
  p.place(failed);
  // What seccomp and the timer end it with; callers look for the words.
  for (const [signal, words] of [
    [31, 'signal: bad system call'],
    [14, 'signal: alarm clock, it took too long'],
  ] as const) {
    const other = p.label(`${what}: not ${words}`);
    p.local(status, { mask: 0x7fn, minus: signal, negative: other, positive: other });
    p.call('exit_group', [1], { what: `${what} (${words})`, forcedErrno: ECANCELED });
    p.place(other);
  }
  p.call('exit_group', [1], { what, forcedErrno: ECANCELED });
  p.place(done);
}
