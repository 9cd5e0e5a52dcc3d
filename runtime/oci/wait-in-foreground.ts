import { constants } from 'node:os';
import { codeOf } from '../base/errors.ts';
import { tryWait } from '../sys/process.ts';
import { copyTerminal } from './copy-terminal.ts';
import { ownSignals } from './own-signals.ts';

/** Waits for a child of ours, hands signals on to it, and copies its terminal. Answers its exit code. */
export async function waitInForeground(pid: number, master?: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const look = () => {
    const status = tryWait(pid);
    if (status !== 'running') resolve(status === 'not-a-child' ? 0 : status.exitCode);
  };
  process.on('SIGCHLD', look);
  // A signal handler alone does not keep Node alive.
  const alive = setInterval(look, 1000);
  for (const name of Object.keys(constants.signals) as NodeJS.Signals[])
    if (!ownSignals.has(name)) handOn(name, pid);
  const terminal = master === undefined ? undefined : copyTerminal(master);
  look();
  const code = await promise;
  clearInterval(alive);
  await terminal?.end();
  return code;
}

function handOn(name: NodeJS.Signals, pid: number): void {
  try {
    process.on(name, () => {
      try {
        process.kill(pid, name);
      } catch (error) {
        if (codeOf(error) !== 'ESRCH') throw error;
      }
    });
  } catch (error) {
    // libuv keeps some to itself.
    if (codeOf(error) !== 'EINVAL') throw error;
  }
}
