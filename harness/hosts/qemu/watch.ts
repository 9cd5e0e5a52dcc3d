import { setTimeout as sleep } from 'node:timers/promises';
import { connectSsh } from '../../ssh/connect.ts';
import type { Ssh, SshAddress } from '../../ssh/ssh.ts';
import { HostBroken } from '../host.ts';
import { findPanic, readConsole } from './console.ts';
import type { Machine } from './machine.ts';
import type { QemuTimes } from './times.ts';

/**
 * Watches a machine until `stop` aborts: its process, its console, its control socket and its SSH connection. The
 * first sign of trouble is told once, as what it is. A loss of SSH is looked into, because a panic, an exit and a hang
 * show as one first.
 */
export async function watchMachine(
  machine: Machine,
  connection: { readonly ssh: Ssh; readonly address: SshAddress },
  { stop, times }: { readonly stop: AbortSignal; readonly times: QemuTimes },
): Promise<HostBroken | undefined> {
  const stopped = waitFor(stop).then(() => undefined);
  const trouble = Promise.race([
    machine.exited.then(() => explainExit(machine)),
    waitFor(connection.ssh.lost).then(() => explainLoss(machine, connection, times)),
    pollMachine(machine, times, stop),
  ]);
  const found = await Promise.race([stopped, trouble]);
  return stop.aborted ? undefined : found;
}

/** What ended the process: a panic says so on the console. */
export async function explainExit(machine: Machine): Promise<HostBroken> {
  const { code, signal, stderr } = await machine.exited;
  const tail = await readConsole(machine.paths.console);
  const panic = findPanic(tail);
  if (panic) return new HostBroken('panic', `the kernel panicked: ${panic}`, tail);
  const how = signal ? `was ended by ${signal}` : `ended with status ${code}`;
  return new HostBroken('exited', `QEMU ${how}${stderr ? `: ${stderr.slice(-1000)}` : ''}`, tail);
}

async function explainLoss(
  machine: Machine,
  { ssh, address }: { readonly ssh: Ssh; readonly address: SshAddress },
  times: QemuTimes,
): Promise<HostBroken> {
  const why = ssh.lost.reason instanceof Error ? ssh.lost.reason.message : 'connection lost';
  // A dying QEMU closes its sockets before it is gone.
  if (await Promise.race([machine.exited.then(() => true), sleep(500, false)])) return explainExit(machine);
  const hung = await askQemu(machine, times);
  if (hung) return hung;
  const again = await connectSsh(address, { deadlineMs: times.reconnectMs }).catch(() => undefined);
  await again?.[Symbol.asyncDispose]();
  const tail = await readConsole(machine.paths.console);
  if (again) return new HostBroken('ssh-lost', `${why}; the guest answers a new one`, tail, ssh.lost.reason);
  return new HostBroken('hang', `the guest does not answer: ${why}`, tail, ssh.lost.reason);
}

async function pollMachine(machine: Machine, times: QemuTimes, stop: AbortSignal): Promise<HostBroken> {
  for (;;) {
    await sleep(times.watchEveryMs);
    // After `stop` nobody listens; an answer would be wrong.
    if (stop.aborted) return new Promise(() => {});
    const panic = findPanic(await readConsole(machine.paths.console));
    if (panic) {
      // The rest of the trace, and QEMU's own end, follow at once.
      await Promise.race([machine.exited, sleep(2000)]);
      return new HostBroken(
        'panic',
        `the kernel panicked: ${panic}`,
        await readConsole(machine.paths.console),
      );
    }
    const hung = await askQemu(machine, times);
    if (hung) return hung;
  }
}

/** A HostBroken where QEMU is silent or has stopped its guest; undefined where it runs or is gone. */
async function askQemu(machine: Machine, { qmpMs }: QemuTimes): Promise<HostBroken | undefined> {
  try {
    const answer = await machine.qmp.execute('query-status', undefined, { timeoutMs: qmpMs });
    const { status } = answer as { status: string };
    if (status === 'running' || status === 'shutdown' || status === 'guest-panicked') return undefined;
    const tail = await readConsole(machine.paths.console);
    return new HostBroken('hang', `QEMU stopped the guest: status ${status}, wanted running`, tail);
  } catch (cause) {
    if (await Promise.race([machine.exited.then(() => true), sleep(500, false)])) return undefined;
    const words = cause instanceof Error ? cause.message : String(cause);
    return new HostBroken('hang', words, await readConsole(machine.paths.console), cause);
  }
}

function waitFor(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
