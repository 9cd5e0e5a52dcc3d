import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, HullError } from '../base/errors.ts';
import type { Seccomp } from '../base/oci-seccomp.ts';
import type { Context } from './context.ts';

/** How long a process may take from saying that it loads its filter to having done it. */
const patienceMs = 10_000;

const listens = ({ syscalls = [] }: Seccomp): boolean =>
  syscalls.some(({ action }) => action === 'SCMP_ACT_NOTIFY');

export function needOwnProcessForListener({ caller }: Context, seccomp: Seccomp | undefined): void {
  if (seccomp && listens(seccomp)) caller.needOwnProcess('a seccomp listener is handed on');
}

/**
 * Takes the listener of a process that is loading its filter and sends it to the agent, with the state that config-linux.md ("The Container
 * Process State") wants. The process waits meanwhile.
 */
export async function handOverListener(
  { caller }: Context,
  seccomp: Seccomp | undefined,
  { pid, descriptor, state }: { readonly pid: number; readonly descriptor: number; readonly state: object },
): Promise<void> {
  const path = seccomp?.listenerPath ?? '';
  const { connectUnix } = await import('../sys/unix-connect.ts');
  const { sendWithDescriptors } = await import('../sys/unix-rights.ts');
  let socket: number;
  try {
    socket = connectUnix(caller.path(path));
  } catch (cause) {
    throw new HullError(
      `failed to connect with seccomp agent specified in the seccomp profile: linux.seccomp.listenerPath ${JSON.stringify(path)}: ${String(codeOf(cause) ?? cause)}`,
      { kind: 'unavailable', cause },
    );
  }
  try {
    const listener = await takeWhenThere(pid, descriptor);
    const metadata = seccomp?.listenerMetadata;
    const message = {
      ociVersion: '1.2.0',
      fds: ['seccompFd'],
      pid,
      ...(metadata ? { metadata } : {}),
      state,
    };
    sendWithDescriptors(socket, Buffer.from(JSON.stringify(message)), [listener]);
    closeSync(listener);
  } finally {
    closeSync(socket);
  }
}

async function takeWhenThere(pid: number, descriptor: number): Promise<number> {
  const { takeDescriptor } = await import('../sys/pidfd.ts');
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      return takeDescriptor(pid, descriptor);
    } catch (error) {
      if (codeOf(error) !== 'EBADF' || Date.now() > deadline) throw error;
    }
    await sleep(1);
  }
}
