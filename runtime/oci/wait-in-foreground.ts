import { constants } from 'node:os';
import { codeOf } from '../base/errors.ts';
import { tryWait } from '../sys/process.ts';
import { copyTerminal } from './copy-terminal.ts';
import { ownSignals } from './own-signals.ts';

/** Waits for a child of ours, and copies its terminal. Answers its exit code. */
export type ForegroundWait = (pid: number, master?: number) => Promise<number>;

/** From here on signals to us are handed on to the child that is waited for; those that came before it was, come to it then. */
export function standInForeground(): ForegroundWait {
  const early: NodeJS.Signals[] = [];
  let child: number | undefined;
  let look = () => {};
  process.on('SIGCHLD', () => look());
  for (const name of Object.keys(constants.signals) as NodeJS.Signals[]) {
    if (ownSignals.has(name)) continue;
    onSignal(name, () => (child === undefined ? early.push(name) : handOn(name, child)));
  }
  return async (pid, master) => {
    child = pid;
    for (const name of early) handOn(name, pid);
    const { promise, resolve } = Promise.withResolvers<number>();
    look = () => {
      const status = tryWait(pid);
      if (status !== 'running') resolve(status === 'not-a-child' ? 0 : status.exitCode);
    };
    // A signal handler alone does not keep Node alive.
    const alive = setInterval(look, 1000);
    const terminal = master === undefined ? undefined : copyTerminal(master);
    look();
    const code = await promise;
    clearInterval(alive);
    await terminal?.end();
    return code;
  };
}

function onSignal(name: NodeJS.Signals, act: () => void): void {
  try {
    process.on(name, act);
  } catch (error) {
    // libuv keeps some to itself.
    if (codeOf(error) !== 'EINVAL') throw error;
  }
}

function handOn(name: NodeJS.Signals, pid: number): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}
