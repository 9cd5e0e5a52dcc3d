import { connectSsh } from '../../ssh/connect.ts';
import type { Ssh, SshAddress } from '../../ssh/ssh.ts';
import { HostBroken } from '../host.ts';
import { findPanic, readConsole } from './console.ts';
import type { Machine } from './machine.ts';
import { explainExit } from './watch.ts';

/**
 * The first SSH answer of a machine that boots or was resumed. A machine that panics, ends or stays silent until the
 * deadline is a HostBroken with the end of its console.
 */
export async function firstAnswer(
  machine: Machine,
  privateKeyPath: string,
  { signal, deadlineMs }: { readonly signal: AbortSignal; readonly deadlineMs: number },
): Promise<{ readonly ssh: Ssh; readonly address: SshAddress }> {
  const host = '127.0.0.1';
  const address = { host, port: await machine.sshPort(), username: 'root', privateKeyPath };
  const gone = new AbortController();
  void machine.exited.then(() => gone.abort());
  try {
    const ssh = await connectSsh(address, { signal: AbortSignal.any([signal, gone.signal]), deadlineMs });
    return { ssh, address };
  } catch (cause) {
    signal.throwIfAborted();
    if (gone.signal.aborted) throw asBootFailure(await explainExit(machine));
    const tail = await readConsole(machine.paths.console);
    const panic = findPanic(tail);
    if (panic) throw new HostBroken('panic', `the kernel panicked: ${panic}`, tail, cause);
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new HostBroken('boot', words, tail, cause);
  }
}

function asBootFailure(found: HostBroken): HostBroken {
  if (found.what !== 'exited') return found;
  return new HostBroken('boot', `${found.message}, before the first SSH answer`, found.consoleTail, found);
}
