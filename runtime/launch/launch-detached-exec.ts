import { closeSync, writeSync } from 'node:fs';
import { HullError } from '../base/errors.ts';
import { createPipe } from '../sys/process.ts';
import {
  compileDetachedExec,
  type DetachedExecRequest,
  detachedExecRecord,
  hasListener,
  launcherKeepsMaster,
} from './compile-detached-exec.ts';
import type { Hands, SpawnedProgram } from './hands.ts';
import { LaunchError } from './launch-error.ts';
import { openTarget } from './open-target.ts';
import { prepareProgram } from './program-cache.ts';
import { readRecords } from './read-records.ts';
import type { StartRecord } from './records.ts';
import { masterOf } from './terminal-descriptors.ts';

export interface DetachedCommand {
  readonly pid: number;
  /** Of its terminal, where no console socket took it. */
  readonly master?: number;
}

/**
 * Runs a command in a container; answers when it has been executed. The command is a child of whose hands these are. LaunchError as
 * with `launch`; kind `conflict` where the target has ended.
 */
export async function execDetached(
  request: DetachedExecRequest,
  hands: Hands,
  atListener: (pid: number, descriptor: number) => Promise<void>,
): Promise<DetachedCommand> {
  // The target is a descriptor, so that the same command in it, or in another, is the same program.
  const { target: _, ...general } = request;
  const prepared =
    hands.programs?.prepare(JSON.stringify(general), new Map(), () => compileDetachedExec(general)) ??
    prepareProgram(compileDetachedExec(general));
  const record = detachedExecRecord(request);
  const target = openTarget(request.target, 'run a command in');
  let started: SpawnedProgram;
  let handled = false;
  const go = hasListener(request) ? createPipe() : undefined;
  try {
    const more = go ? { more: [go.read] } : {};
    started = await hands.spawn(prepared.image, { name: 'hull-oci', record, extra: target, ...more });
  } finally {
    closeSync(target);
    if (go) closeSync(go.read);
  }
  let failure: unknown;
  let records: readonly StartRecord[] = [];
  for (const seen of readRecords(started.recordPipe)) {
    records = seen;
    const pid = records.find((each) => each.kind === 'pid')?.pid;
    const listener = records.find((each) => each.kind === 'listener');
    if (!go || handled || pid === undefined || !listener) continue;
    handled = true;
    try {
      await atListener(pid, listener.descriptor);
      writeSync(go.write, '.');
    } catch (error) {
      failure = error;
    }
    closeSync(go.write);
  }
  closeSync(started.recordPipe);
  if (go && !handled) closeSync(go.write);
  const pid = records.find((each) => each.kind === 'pid')?.pid;
  const failed = records.find((each) => each.kind === 'error');
  const runs =
    pid !== undefined && !failed && failure === undefined && records.some(({ kind }) => kind === 'alive');
  let master: number | undefined;
  try {
    if (runs && launcherKeepsMaster(request)) master = await takeMaster(started.pid, record);
  } finally {
    if (launcherKeepsMaster(request)) endProcess(started.pid);
    hands.reap(started.pid);
  }
  if (runs) return { pid, ...(master === undefined ? {} : { master }) };
  if (pid !== undefined) hands.reap(pid);
  if (failure !== undefined) throw failure;
  if (failed) throw new LaunchError(prepared.step(failed.step), failed.errno);
  throw new HullError('Cannot run the command: its process ended without a word', { kind: 'internal' });
}

async function takeMaster(launcher: number, record: number): Promise<number> {
  const { takeDescriptor } = await import('../sys/pidfd.ts');
  return takeDescriptor(launcher, masterOf(record));
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
