import { createInterface } from 'node:readline';
import type { ScenarioContext } from '../../harness/run/scenario.ts';

/** A process in the host, outside of every container, that keeps something busy. */
export interface Holder {
  readonly pid: number;
  /** Afterwards it is gone, and with it what it held. */
  end(): Promise<void>;
}

/** It ends by itself after this time, should nobody be there to end it: seconds. */
const longestHold = 120;

/**
 * Starts a process that runs `script` and then sleeps. `within` is what to enter before: `['nsenter', '-m', …]`.
 * It ends with the scenario at the latest.
 */
export async function hold(
  t: ScenarioContext,
  script: string,
  within: readonly string[] = [],
): Promise<Holder> {
  const held = `set -e\n${script}\necho $$\nexec sleep ${longestHold}`;
  const process = await t.host.spawn([...within, 'sh', '-c', held]);
  let ended = false;
  const end = async () => {
    if (ended) return;
    ended = true;
    process.kill('KILL');
    await process.exited;
  };
  t.defer(end);
  const pid = Number(await firstLine(process.stdio, process.stderr));
  return { pid, end };
}

/** In the mount namespace of a process, with its working directory there. */
export function holdMountNamespace(t: ScenarioContext, pid: number): Promise<Holder> {
  return hold(t, 'cd /tmp', ['nsenter', `--mount=/proc/${pid}/ns/mnt`]);
}

/** In a copy of the mount namespace of a process, as a service with private mounts makes one of the host's. */
export function holdMountNamespaceCopy(t: ScenarioContext, pid: number): Promise<Holder> {
  return hold(t, 'cd /', ['nsenter', `--mount=/proc/${pid}/ns/mnt`, '/bin/busybox', 'unshare', '-m']);
}

/** With a file open, by a path of the host: `/proc/PID/root/etc/motd`, `/dev/mapper/x`. */
export function holdOpen(t: ScenarioContext, path: string): Promise<Holder> {
  return hold(t, `exec 3<'${path}'`);
}

async function firstLine(output: NodeJS.ReadableStream, errors: NodeJS.ReadableStream): Promise<string> {
  let stderr = '';
  errors.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  for await (const line of createInterface({ input: output })) return line;
  throw new Error(`Cannot start a holder: ${stderr.trim() || 'it ended without a word'}`);
}
