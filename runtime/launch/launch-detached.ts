import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, HullError } from '../base/errors.ts';
import { createPipe } from '../sys/process.ts';
import {
  compileDetached,
  type DetachedRequest,
  detachedRecordDescriptor,
  needsSync,
} from './compile-detached.ts';
import { callsOf } from './explain.ts';
import type { Hands } from './hands.ts';
import { LaunchError } from './launch-error.ts';
import { blank, type PreparedProgram, type ProgramCache, prepareProgram } from './program-cache.ts';
import { readRecords } from './read-records.ts';
import { parseRecords, type StartRecord } from './records.ts';
import type { LaunchStep } from './types.ts';

export interface CreationWatcher {
  /** The program has been started: for what has to be done anyway, and cannot fail. */
  meanwhile(): Promise<void>;
  /** Where the specification has hooks of creation. */
  atSync(pid: number): void;
  /** The first process is loading a seccomp filter; its listener gets this number. */
  atListener(pid: number, descriptor: number): Promise<void>;
}

export interface DetachedProcess {
  /** A child of whose hands these were: the launcher clones it off as its sibling. */
  readonly pid: number;
  readonly startTicks: string;
  /** What can still fail after `start`, for its error: `startDetached` runs in another process. */
  readonly startSteps: readonly LaunchStep[];
}

/**
 * Makes a container up to the point where its first process waits for `startDetached`. What the watcher throws ends the creation. LaunchError as with `launch`, and
 * then nothing is left but the FIFOs.
 */
export async function createDetached(
  request: DetachedRequest,
  hands: Hands,
  watcher: CreationWatcher,
): Promise<DetachedProcess> {
  const prepared = prepareDetached(request, hands.programs);
  const record = detachedRecordDescriptor(request);
  const go = createPipe();
  let open = true;
  const closeGo = () => {
    if (open) closeSync(go.write);
    open = false;
  };
  let launcher: number;
  let recordPipe: number;
  try {
    const how = { name: 'hull-oci', record, extra: go.read };
    ({ pid: launcher, recordPipe } = await hands.spawn(prepared.image, how));
  } catch (error) {
    closeGo();
    throw error;
  } finally {
    closeSync(go.read);
  }
  let records: readonly StartRecord[] = [];
  let failure: unknown;
  let startSteps: readonly LaunchStep[] = [];
  try {
    startSteps = stepsOfStart(prepared);
    await watcher.meanwhile();
    let synced = false;
    let heard = false;
    for (const seen of readRecords(recordPipe)) {
      records = seen;
      const pid = pidOf(records);
      if (pid === undefined || failure !== undefined) continue;
      try {
        if (!synced && records.some(({ kind }) => kind === 'sync')) {
          synced = true;
          watcher.atSync(pid);
          writeSync(go.write, '.');
        }
        const listener = records.find((each) => each.kind === 'listener');
        if (!heard && listener) {
          heard = true;
          await watcher.atListener(pid, listener.descriptor);
          writeSync(go.write, '.');
        }
      } catch (error) {
        failure = error;
        closeGo();
      }
    }
  } finally {
    closeGo();
    closeSync(recordPipe);
  }
  hands.reap(launcher);
  const pid = pidOf(records);
  const alive = records.find((each) => each.kind === 'alive');
  const failed = records.find((each) => each.kind === 'error');
  if (pid !== undefined && alive && !failed && failure === undefined)
    return { pid, startTicks: alive.startTicks, startSteps };
  if (pid !== undefined) hands.reap(pid);
  if (failure !== undefined) throw failure;
  if (failed) throw new LaunchError(prepared.step(failed.step), failed.errno);
  throw new HullError(`Cannot create ${request.id}: its first process ended without a word`, {
    kind: 'internal',
  });
}

function pidOf(records: readonly StartRecord[]): number | undefined {
  return records.find((each) => each.kind === 'pid')?.pid;
}

/** What two containers of one specification differ in, the paths of their state and of their cgroups, is blank in what is kept. */
export function prepareDetached(request: DetachedRequest, programs?: ProgramCache): PreparedProgram {
  const { id, startFifo, outcomeFifo, cgroup } = request;
  const values = [id, startFifo, outcomeFifo, ...(cgroup.path === undefined ? [] : [cgroup.path])];
  const [idBlank = '', start = '', outcome = '', group = ''] = values.map((_, index) => blank(index));
  const inGroup = (path: string) => {
    const at = path.lastIndexOf(`/${cgroup.path}`);
    return `${path.slice(0, at)}/${group}${path.slice(at + 1 + (cgroup.path ?? '').length)}`;
  };
  const { v1Procs, v2Dir } = cgroup;
  const general: DetachedRequest = {
    ...request,
    id: idBlank,
    startFifo: start,
    outcomeFifo: outcome,
    // Opened only where there are hooks.
    ...(needsSync(request) ? {} : { stateFiles: { creating: '', created: '' } }),
    ...(cgroup.path === undefined
      ? {}
      : {
          cgroup: {
            ...cgroup,
            path: group,
            v1Procs: v1Procs.map(inGroup),
            ...(v2Dir === undefined ? {} : { v2Dir: inGroup(v2Dir) }),
          },
        }),
  };
  const blanks = new Map(values.map((value, index) => [blank(index), value]));
  const known = programs?.prepare(JSON.stringify(general), blanks, () => compileDetached(general));
  return known ?? prepareProgram(compileDetached(request));
}

function stepsOfStart({ program, step }: PreparedProgram): readonly LaunchStep[] {
  const calls = callsOf(program);
  const first = calls.findIndex(({ what }) => what === 'wait for the start') + 1;
  const last = calls.findLastIndex(({ call }) => call === 'execve') + 1;
  return Array.from({ length: last - first + 1 }, (_, index) => step(first + index));
}

/**
 * Lets the first process go on and answers when it has become the command; or, where the caller waits for its end anyway, when it has ended.
 * Kind `conflict` where it does not wait: started already, or ended.
 */
export async function startDetached(
  request: Pick<DetachedRequest, 'id' | 'startFifo' | 'outcomeFifo'>,
  steps: readonly LaunchStep[],
  ended?: Promise<unknown>,
): Promise<void> {
  const { id, startFifo, outcomeFifo } = request;
  const nobody = (cause: unknown) =>
    new HullError(`Cannot start container ${id}: its first process does not wait for a start`, {
      kind: 'conflict',
      cause,
    });
  let outcome: number;
  let start: number;
  try {
    outcome = openSync(outcomeFifo, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw codeOf(error) === 'ENOENT' ? nobody(error) : error;
  }
  try {
    try {
      start = openSync(startFifo, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      throw codeOf(error) === 'ENXIO' || codeOf(error) === 'ENOENT' ? nobody(error) : error;
    }
    writeSync(start, '.');
    closeSync(start);
    unlinkSync(startFifo);
    await ended;
    const record = await readOutcome(outcome);
    const step = steps.find(({ index }) => index === record?.step);
    if (record && step) throw new LaunchError(step, record.errno);
    if (record)
      throw new HullError(`Cannot start container ${id}: step ${record.step} failed`, { kind: 'internal' });
  } finally {
    closeSync(outcome);
  }
}

/** Most often it is there within a millisecond, which a timer would double; after that others may have their turn. */
async function readOutcome(
  fd: number,
): Promise<{ readonly step: number; readonly errno: number } | undefined> {
  const bytes = Buffer.alloc(4096);
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let ms = 0.05; ; ms = Math.min(ms * 2, 5)) {
    try {
      const length = readSync(fd, bytes);
      return parseRecords(bytes.subarray(0, length)).find((each) => each.kind === 'error');
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error;
    }
    if (ms < 1) Atomics.wait(pause, 0, 0, ms);
    else await sleep(ms);
  }
}
