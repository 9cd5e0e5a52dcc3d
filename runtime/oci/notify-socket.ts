import { chmodSync, closeSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Spec } from '../base/oci.ts';
import { bindDatagram, receiveDatagram, sendDatagrams } from '../sys/unix-datagram.ts';
import type { Context } from './context.ts';
import { warn } from './messages.ts';
import { type ContainerState, type StateFiles, stateFiles } from './state-store.ts';
import { isAlive } from './status.ts';

// Loaded only where NOTIFY_SOCKET is set: a service manager wants to be told when the service is up (sd_notify(3)).
const managerSocket = (): string => process.env.NOTIFY_SOCKET ?? '';

const folderOf = ({ folder }: StateFiles): string => join(folder, 'notify');

/**
 * The specification with a socket for READY=1: a folder of ours at the place that the manager's socket has outside, as with crun. The
 * socket itself is made by whoever starts the container and waits for the word.
 */
export function withNotifyFolder(spec: Spec, files: StateFiles): Spec {
  const socket = managerSocket();
  mkdirSync(folderOf(files), { mode: 0o755 });
  const place = socket.startsWith('/') ? socket : '/run/notify';
  const options = ['bind', 'nosuid', 'noexec', 'nodev', 'ro'];
  const mount = { destination: place, source: folderOf(files), type: 'bind', options };
  const env = (spec.process.env ?? []).filter((entry) => !entry.startsWith('NOTIFY_SOCKET='));
  return {
    ...spec,
    mounts: [...(spec.mounts ?? []), mount],
    process: { ...spec.process, env: [...env, `NOTIFY_SOCKET=${place}/notify`] },
  };
}

/**
 * Makes the socket, before the command runs that may use it. What is answered never fails, and waits until the container says READY=1 or
 * has ended; it tells the manager, with `mainPid` as what to watch. Undefined where no manager asked when the container was created.
 */
export function tellWhenReady(
  context: Context,
  state: ContainerState,
  mainPid: number,
): Promise<void> | undefined {
  const folder = folderOf(stateFiles(context.root, state.id));
  if (!statSync(folder, { throwIfNoEntry: false })) return undefined;
  const path = join(folder, 'notify');
  const socket = bindDatagram(path);
  chmodSync(path, 0o777);
  return becomesReady(socket, state)
    .then((isReady) => {
      if (isReady) sendDatagrams(managerSocket(), ['READY=1', `MAINPID=${mainPid}`]);
    })
    .catch((error: unknown) => warn(context, error))
    .finally(() => closeSync(socket));
}

async function becomesReady(socket: number, state: ContainerState): Promise<boolean> {
  for (;;) {
    // First, as the last word may come between the two.
    const mayStillSay = isAlive(state);
    for (let message = receiveDatagram(socket); message; message = receiveDatagram(socket))
      if (message.toString().split('\n').includes('READY=1')) return true;
    if (!mayStillSay) return false;
    await sleep(50);
  }
}
