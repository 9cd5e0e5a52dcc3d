import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, HullError } from '../base/errors.ts';
import {
  createExecutableMemfd,
  createPipe,
  sealMemfd,
  spawnProcess,
  tryWait,
  type WaitStatus,
} from '../sys/process.ts';
import { LaunchError } from './launch-error.ts';
import type { PreparedProgram } from './program-cache.ts';
import { parseRecords, recordDescriptor, type StartRecord } from './records.ts';

export interface StartedProgram {
  readonly pid: number;
  /** What the program wrote to its record pipe until nobody held it any more. */
  readonly records: readonly StartRecord[];
}

/**
 * Runs a launch program and waits until it let go of its record pipe. A program that wrote an error record, or ended
 * without the record `wanted`, is reaped, and the error thrown.
 */
export async function startProgram(
  program: PreparedProgram,
  options: {
    readonly name: string;
    readonly wanted: StartRecord['kind'];
    readonly descriptors?: ReadonlyMap<number, number>;
    /** Work of ours that the program waits for, by a byte from that descriptor. Where it fails, so does the start, with its error. */
    readonly meanwhile?: { readonly descriptor: number; readonly finish: () => Promise<unknown> };
  },
): Promise<StartedProgram> {
  const { meanwhile, name } = options;
  const go = meanwhile && createPipe();
  const descriptors = new Map(options.descriptors ?? []);
  if (meanwhile && go) descriptors.set(meanwhile.descriptor, go.read);
  let spawned: ReturnType<typeof spawnProgram>;
  try {
    spawned = spawnProgram(program.image, { name, descriptors });
  } catch (error) {
    if (go) closeSync(go.write);
    throw error;
  } finally {
    if (go) closeSync(go.read);
  }
  const { pid } = spawned;
  const told = readToEnd(spawned.recordPipe);
  if (meanwhile && go) await finishFor(pid, told, meanwhile.finish, go.write);
  const records = parseRecords(await told);
  const failure = records.find((record) => record.kind === 'error');
  if (!failure && records.some((record) => record.kind === options.wanted)) return { pid, records };
  const status = await reap(pid);
  if (failure) throw new LaunchError(program.step(failure.step), failure.errno);
  const how = status ? `exit code ${status.exitCode}` : 'already reaped';
  throw new HullError(`Cannot start ${options.name}: its process ended without a word (${how})`, {
    kind: 'internal',
  });
}

/** Takes `goOn` over. */
async function finishFor(
  pid: number,
  told: Promise<Buffer>,
  finish: () => Promise<unknown>,
  goOn: number,
): Promise<void> {
  let open = true;
  const close = () => {
    if (open) closeSync(goOn);
    open = false;
  };
  try {
    await finish();
    writeSync(goOn, '.');
  } catch (error) {
    // It has ended before, and its records say why.
    if (codeOf(error) === 'EPIPE') return;
    close();
    await told;
    await reap(pid);
    throw error;
  } finally {
    close();
  }
}

/** Spawns a launch program; the reading end of its record pipe is the caller's to close. */
export function spawnProgram(
  image: Buffer,
  options: {
    readonly name: string;
    readonly descriptors?: ReadonlyMap<number, number>;
    readonly record?: number;
  },
): { readonly pid: number; readonly recordPipe: number } {
  const pipe = createPipe();
  const descriptors = new Map(options.descriptors ?? []);
  descriptors.set(options.record ?? recordDescriptor, pipe.write);
  try {
    return { pid: spawnImage(image, options.name, descriptors), recordPipe: pipe.read };
  } catch (error) {
    closeSync(pipe.read);
    throw error;
  } finally {
    closeSync(pipe.write);
  }
}

/**
 * Executes an ELF image from memory: a sealed memfd, which nothing that runs in a container can write to. Where
 * `vm.memfd_noexec` forbids that, a nameless file on a file system that allows execution.
 */
function spawnImage(image: Buffer, name: string, descriptors: ReadonlyMap<number, number>): number {
  const sealed = sealedImage(image, name);
  if (sealed !== undefined) return spawnDescriptor(sealed, name, descriptors);
  const tried: string[] = [];
  for (const folder of ['/var/tmp', '/tmp', '/dev/shm']) {
    try {
      const file = openSync(folder, constants.O_RDWR | 0o20200000, 0o700);
      return spawnDescriptor(
        reopenForReading(file, () => writeSync(file, image)),
        name,
        descriptors,
      );
    } catch (error) {
      const code = codeOf(error);
      if (code === undefined || !['EACCES', 'ENOENT', 'EOPNOTSUPP', 'EROFS', 'ENOSPC'].includes(code))
        throw error;
      tried.push(`${folder}: ${code}`);
    }
  }
  throw new HullError(
    `Cannot start ${name}: vm.memfd_noexec forbids executable memory files, and ${tried.join(', ')}`,
    { kind: 'unsupported', hint: 'Set vm.memfd_noexec to 1 or 0, or mount /var/tmp without noexec.' },
  );
}

/** A descriptor to execute the image by, which nobody can write to; undefined where the kernel forbids such files. */
export function sealedImage(image: Buffer, name: string): number | undefined {
  const memfd = createExecutableMemfd(name);
  if (memfd === undefined) return undefined;
  return reopenForReading(memfd, () => {
    writeSync(memfd, image);
    sealMemfd(memfd);
  });
}

/** Written, then opened again without write access: a file open for writing cannot be executed (ETXTBSY). */
function reopenForReading(fd: number, write: () => void): number {
  try {
    write();
    return openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY);
  } finally {
    closeSync(fd);
  }
}

function spawnDescriptor(fd: number, name: string, descriptors: ReadonlyMap<number, number>): number {
  try {
    const pid = spawnProcess({ path: `/proc/${process.pid}/fd/${fd}`, argv: [name], descriptors });
    children.set(pid, undefined);
    return pid;
  } finally {
    closeSync(fd);
  }
}

/** Everything that is written to a pipe until its last writer is gone. Takes the descriptor over. */
export async function readToEnd(fd: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of new Socket({ fd, readable: true, writable: false })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Children of ours that have not been reaped, with the wait for them where one is under way. */
const children = new Map<number, Promise<WaitStatus | undefined> | undefined>();

/**
 * Waits until a program of ours that is about to end has ended, and takes its status, once for all who ask; undefined
 * for a process that is not, or no longer, our child. Asks in short intervals: SIGCHLD is Node's, and the end of a
 * process cannot be waited for by epoll before pidfds, which Node cannot take.
 */
export async function reap(pid: number): Promise<WaitStatus | undefined> {
  if (!children.has(pid)) return undefined;
  const waiting = children.get(pid) ?? waitFor(pid).finally(() => children.delete(pid));
  children.set(pid, waiting);
  return await waiting;
}

async function waitFor(pid: number): Promise<WaitStatus | undefined> {
  for (let pause = 0.5; ; pause = Math.min(pause * 2, 50)) {
    const status = tryWait(pid);
    if (status === 'not-a-child') return undefined;
    if (status !== 'running') return status;
    await sleep(pause);
  }
}
