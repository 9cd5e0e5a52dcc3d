import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HullError } from '../../base/errors.ts';
import { monotonicMs } from '../../base/monotonic.ts';
import { createPipe } from '../../sys/process.ts';
import {
  environment,
  type Manager,
  managerOption,
  patienceMs,
  systemctl,
  systemdError,
} from './systemctl.ts';
import { sliceOf } from './unit-path.ts';

/** What keeps a scope until the container's first process is in it: systemd starts none without a process, and ends it with the last one. */
export interface Hold {
  /** Afterwards it is not in the scope any more. */
  release(): Promise<void>;
}

/** How long a unit of the same name may take to go that has ended. */
const leavingMs = 5_000;

/**
 * Starts a transient scope, by `systemd-run --scope`: what that executes in the scope is the hold, which says a word when it is there and ends
 * when its stdin does, with us at the latest. The path says which unit, and in which slice. Kind `conflict` where the unit is active already.
 */
export async function startScope(
  manager: Manager,
  path: string,
  properties: readonly string[],
): Promise<Hold> {
  const unit = basename(path);
  const options = [
    '--scope',
    '--quiet',
    '--collect',
    '--no-ask-password',
    ...managerOption(manager),
    `--unit=${unit}`,
    `--slice=${sliceOf(path)}`,
    `--description=hull container ${unit.replace(/\.scope$/, '')}`,
    ...properties.map((each) => `--property=${each}`),
  ];
  const deadline = monotonicMs() + leavingMs;
  for (;;) {
    try {
      return await hold(unit, options);
    } catch (error) {
      if (!(error instanceof HullError && isTaken(error))) throw error;
      const active = await isActive(manager, unit);
      if (active || monotonicMs() > deadline)
        throw new HullError(`${error.message}${active ? " (container's cgroup is not empty)" : ''}`, {
          kind: 'conflict',
          cause: error,
        });
      // Its last process has gone, or it has failed: systemd has not yet forgotten it.
      await systemctl(manager, 'reset-failed', unit).catch(() => {});
      await sleep(20);
    }
  }
}

const isTaken = ({ message }: HullError): boolean => /already (exists|loaded)/.test(message);

async function isActive(manager: Manager, unit: string): Promise<boolean> {
  const state = await systemctl(manager, 'show', '--property=ActiveState', '--value', unit);
  return ['active', 'activating', 'reloading'].includes(state.trim());
}

async function hold(unit: string, options: readonly string[]): Promise<Hold> {
  // A pipe with both ends here, which no container is handed on.
  const { read, write } = createPipe();
  const close = () => {
    closeSync(write);
    closeSync(read);
  };
  const child = spawn('systemd-run', [...options, '--', '/bin/sh', '-c', 'echo; read -r _'], {
    stdio: [read, 'pipe', 'pipe'],
    env: environment(),
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  try {
    await untilHeld(child, unit);
  } catch (error) {
    close();
    child.kill('SIGKILL');
    throw error;
  }
  child.stdout?.destroy();
  child.stderr?.destroy();
  return {
    async release() {
      close();
      await ended;
    },
  };
}

async function untilHeld(child: ChildProcess, unit: string): Promise<void> {
  const what = `Cannot start unit ${unit}`;
  let said = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  await new Promise<void>((resolve, reject) => {
    const patience = setTimeout(() => {
      reject(systemdError(what, said.trim() || `nothing in ${patienceMs / 1000} s`));
    }, patienceMs);
    const done = (action: () => void) => {
      clearTimeout(patience);
      action();
    };
    child.once('error', (cause) => done(() => reject(systemdError(what, cause.message, cause))));
    child.stdout?.once('data', () => done(resolve));
    // When all has been read that it said.
    child.once('close', () => done(() => reject(systemdError(what, said.trim() || 'nothing'))));
  });
}
