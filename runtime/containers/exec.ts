import { randomBytes } from 'node:crypto';
import { HullError } from '../base/errors.ts';
import { errorText } from '../base/log.ts';
import { execEntry } from '../cgroups/exec-entry.ts';
import { LaunchError } from '../launch/launch-error.ts';
import { launchExec } from '../launch/launch-exec.ts';
import type { LaunchedExec } from '../launch/types.ts';
import { userInRunning } from './accounts.ts';
import type { Container } from './container.ts';
import { cgroupOf, type Engine } from './engine.ts';
import type { ExecConfig } from './exec-request.ts';
import type { ExecSession, ExecTable } from './exec-table.ts';
import { chooseModes } from './host-modes.ts';
import { requireAlive } from './kill.ts';
import { publishContainer } from './publish.ts';
import { hostnameOf, makeExecProcess, seccompOf } from './spec.ts';

/** Kinds: `conflict` (not running, or paused), `invalid` and `unsupported` (a field of the body, named). */
export function createExec(
  engine: Engine,
  execs: ExecTable,
  container: Container,
  config: ExecConfig,
): string {
  const run = requireAlive(container, 'run a command in');
  if (run.kind === 'paused') {
    throw new HullError(
      `Cannot run a command in container ${container.name}: it is paused, unpause it before`,
      {
        kind: 'conflict',
      },
    );
  }
  const session: ExecSession = {
    id: randomBytes(32).toString('hex'),
    container,
    config,
    state: { kind: 'created' },
    started: Promise.withResolvers(),
  };
  execs.add(session);
  publishContainer(engine, container, `exec_create: ${config.Cmd.join(' ')}`, { execID: session.id });
  return session.id;
}

/** Runs it. The streams belong to the caller. A command that cannot be run ends the session with 126 or 127. */
export async function startExec(
  engine: Engine,
  execs: ExecTable,
  session: ExecSession,
  consoleSize = session.config.ConsoleSize,
): Promise<LaunchedExec> {
  const { container, config } = session;
  if (session.state.kind !== 'created') {
    throw new HullError(`Cannot start exec ${session.id}: it has been started before`, { kind: 'conflict' });
  }
  const run = requireAlive(container, 'run a command in');
  const { config: own, id } = container.record;
  session.state = { kind: 'running', pid: 0 };
  try {
    const user = await userInRunning(run.pid, config.User || own.User, own.HostConfig.GroupAdd);
    const modes = chooseModes(own.HostConfig, engine.cgroups.mode);
    const { machine, capabilities } = engine;
    const seccomp = config.Privileged ? undefined : seccompOf({ config: own, machine, capabilities });
    const launched = await launchExec({
      target: { pid: run.pid, startTicks: run.startTicks },
      cgroup: execEntry(cgroupOf(engine, container).entry, run.pid),
      process: makeExecProcess({
        config: own,
        user,
        hostname: hostnameOf(id, own, modes) ?? '',
        capabilities,
        args: config.Cmd,
        env: config.Env,
        cwd: config.WorkingDir,
        privileged: config.Privileged,
        terminal: config.Tty,
        consoleSize,
      }),
      ...(seccomp ? { seccomp } : {}),
      openStdin: config.AttachStdin,
    });
    session.state = { kind: 'running', pid: launched.pid };
    session.started.resolve(launched);
    publishContainer(engine, container, `exec_start: ${config.Cmd.join(' ')}`, { execID: session.id });
    void launched.exited.then(({ exitCode }) => finish(engine, execs, session, launched.pid, exitCode));
    return launched;
  } catch (error) {
    const exitCode = error instanceof LaunchError ? error.exitCode : 126;
    finish(engine, execs, session, 0, exitCode);
    if (!(error instanceof LaunchError)) throw error;
    throw new HullError(`Cannot run ${config.Cmd[0]} in container ${container.name}: ${errorText(error)}`, {
      kind: exitCode === 128 ? 'internal' : 'invalid',
      cause: error,
    });
  }
}

function finish(engine: Engine, execs: ExecTable, session: ExecSession, pid: number, exitCode: number): void {
  session.state = { kind: 'exited', pid, exitCode };
  session.started.resolve(undefined);
  execs.forgetLater(session);
  publishContainer(engine, session.container, 'exec_die', { execID: session.id, exitCode: String(exitCode) });
}
