import { spawnSync } from 'node:child_process';
import { HullError } from '../base/errors.ts';
import type { Hook, HookName, Hooks } from '../base/oci.ts';
import type { Caller } from './caller.ts';

/** Hooks inherit the caller's environment and descriptors, and may call the command line themselves. */
export function needOwnProcessForHooks(caller: Caller, hooks: Hooks | undefined): void {
  if (Object.values(hooks ?? {}).some((list: readonly Hook[]) => list.length > 0))
    caller.needOwnProcess('hooks');
}

/**
 * Runs hooks in the runtime's namespaces, one after the other, the state on their stdin (config.md, "POSIX-platform Hooks"). The first that
 * fails, or takes longer than its timeout, is an error with what it wrote.
 */
export function runHooks(
  kind: HookName,
  hooks: readonly Hook[] | undefined,
  state: object,
  cwd: string,
): void {
  for (const [index, hook] of (hooks ?? []).entries()) runHook(kind, index, hook, state, cwd);
}

function runHook(kind: HookName, index: number, hook: Hook, state: object, cwd: string): void {
  const [argv0, ...args] = hook.args ?? [hook.path];
  const result = spawnSync(hook.path, args, {
    argv0: argv0 ?? hook.path,
    cwd,
    ...(hook.env ? { env: environment(hook.env) } : {}),
    input: JSON.stringify(state),
    encoding: 'utf8',
    ...(hook.timeout === undefined ? {} : { timeout: hook.timeout * 1000, killSignal: 'SIGKILL' as const }),
  });
  // A hook need not read its stdin.
  const trouble =
    result.error && (result.error as NodeJS.ErrnoException).code !== 'EPIPE'
      ? result.error.message
      : undefined;
  if (trouble === undefined && result.status === 0) return;
  const how = trouble ?? (result.signal ? `signal ${result.signal}` : `exit status ${result.status}`);
  throw new HullError(
    `error running ${kind} hook #${index}: ${hook.path}: ${how}, stdout: ${result.stdout ?? ''}, stderr: ${result.stderr ?? ''}`,
    { kind: 'internal' },
  );
}

function environment(env: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    env.map((entry) => [entry.split('=', 1)[0] ?? '', entry.slice(entry.indexOf('=') + 1)]),
  );
}
