import { closeSync as closeNow, constants, fstatSync, openSync } from 'node:fs';
import { SystemError } from '../base/errors.ts';
import { bindLibc, check } from './libc.ts';

const spawn = bindLibc<
  [Uint8Array, string, Uint8Array, Uint8Array, readonly (string | null)[], readonly (string | null)[]]
>('int posix_spawn(void *, const char *, void *, void *, const char **, const char **)');
const actionsInit = bindLibc<[Uint8Array]>('int posix_spawn_file_actions_init(void *)');
const actionsDestroy = bindLibc<[Uint8Array]>('int posix_spawn_file_actions_destroy(void *)');
const actionsDup2 = bindLibc<[Uint8Array, number, number]>(
  'int posix_spawn_file_actions_adddup2(void *, int, int)',
);
const attrInit = bindLibc<[Uint8Array]>('int posix_spawnattr_init(void *)');
const attrDestroy = bindLibc<[Uint8Array]>('int posix_spawnattr_destroy(void *)');
const attrFlags = bindLibc<[Uint8Array, number]>('int posix_spawnattr_setflags(void *, short)');
const attrSigDefault = bindLibc<[Uint8Array, Uint8Array]>(
  'int posix_spawnattr_setsigdefault(void *, void *)',
);
const attrSigMask = bindLibc<[Uint8Array, Uint8Array]>('int posix_spawnattr_setsigmask(void *, void *)');
const sigfillset = bindLibc<[Uint8Array]>('int sigfillset(void *)');
const waitpidCall = bindLibc<[number, Uint8Array, number]>('int waitpid(int, void *, int)');
const pipe2 = bindLibc<[Uint8Array, number]>('int pipe2(void *, int)');
const exitCall = bindLibc<[number]>('void _exit(int)');
const fcntlCall = bindLibc<[number, number, number]>('int fcntl(int, int, int)');
const memfdCreateCall = bindLibc<[string, number]>('int memfd_create(const char *, unsigned int)');

const setSigMask = 0x08;
const setSigDefault = 0x04;
const setSession = 0x80;
/** Larger than glibc's posix_spawnattr_t (336 bytes), posix_spawn_file_actions_t (80) and sigset_t (128). */
const opaqueSize = 512;
const cloexec = 0x80000;

/** Descriptors below this are where children want theirs; ours are kept above, so that no dup2 overwrites another's source. */
const firstOwnDescriptor = 16;

export interface SpawnRequest {
  readonly path: string;
  readonly argv: readonly string[];
  /** Descriptors of ours by the number that the child has them under. 0, 1 and 2 are /dev/null where absent. */
  readonly descriptors: ReadonlyMap<number, number>;
}

/**
 * posix_spawn(3): a child in a session of its own, all signals default and none blocked, with an empty environment. Unlike
 * Node's spawn it does not copy our page tables, and the child is not in Node's books: reap it with `reap`.
 */
export function spawnProcess(request: SpawnRequest): number {
  const actions = Buffer.alloc(opaqueSize);
  const attributes = Buffer.alloc(opaqueSize);
  const none = Buffer.alloc(opaqueSize);
  const signals = Buffer.alloc(opaqueSize);
  const pid = Buffer.alloc(4);
  sigfillset(signals);
  actionsInit(actions);
  attrInit(attributes);
  const nothing = openSync('/dev/null', constants.O_RDWR);
  const raised: number[] = [];
  try {
    const descriptors = new Map([0, 1, 2].map((fd) => [fd, nothing]));
    for (const [wanted, own] of request.descriptors) descriptors.set(wanted, own);
    const above = Math.max(firstOwnDescriptor, ...descriptors.keys()) + 1;
    for (const [wanted, own] of descriptors) {
      const source = own === wanted || own >= above ? own : duplicateAbove(own, above);
      if (source !== own) raised.push(source);
      actionsDup2(actions, source, wanted);
    }
    attrFlags(attributes, setSigMask | setSigDefault | setSession);
    attrSigDefault(attributes, signals);
    attrSigMask(attributes, none);
    const { value } = spawn(pid, request.path, actions, attributes, [...request.argv, null], [null]);
    if (value !== 0) throw new SystemError({ errno: value, syscall: 'posix_spawn', path: request.path });
    return pid.readInt32LE();
  } finally {
    for (const fd of [nothing, ...raised]) closeNow(fd);
    attrDestroy(attributes);
    actionsDestroy(actions);
  }
}

export interface WaitStatus {
  /** 0–255; 128+n for signal n. */
  readonly exitCode: number;
  readonly signal?: number;
}

/** waitpid(2) without waiting: `running`, the status, or `not-a-child` (reaped already, or never ours). */
export function tryWait(pid: number): WaitStatus | 'running' | 'not-a-child' {
  const status = Buffer.alloc(4);
  const wnohang = 1;
  const outcome = waitpidCall(pid, status, wnohang);
  if (outcome.value === 0) return 'running';
  const echild = 10;
  if (outcome.errno === echild) return 'not-a-child';
  check(outcome, { syscall: 'waitpid', op: `wait for process ${pid}` });
  return decodeWaitStatus(status.readInt32LE());
}

/** waitpid(2) of a child that is about to end: blocks Node until it has. Undefined where it is not, or no longer, ours. */
export function waitForEnd(pid: number): WaitStatus | undefined {
  const status = Buffer.alloc(4);
  const outcome = waitpidCall(pid, status, 0);
  return outcome.value === pid ? decodeWaitStatus(status.readInt32LE()) : undefined;
}

/** The status word of wait4(2). */
export function decodeWaitStatus(status: number): WaitStatus {
  const signal = status & 0x7f;
  return signal === 0 ? { exitCode: (status >> 8) & 0xff } : { exitCode: 128 + signal, signal };
}

/** pipe2(2), both ends close-on-exec. */
export function createPipe(): { readonly read: number; readonly write: number } {
  const ends = Buffer.alloc(8);
  check(pipe2(ends, cloexec), { syscall: 'pipe2' });
  return { read: raise(ends.readInt32LE(0)), write: raise(ends.readInt32LE(4)) };
}

/** _exit(2): V8's heap and Node's threads are not taken down piece by piece first, which costs some milliseconds. Nobody is told. */
export function exitAtOnce(status: number): never {
  exitCall(status & 0xff);
  throw new Error('_exit returned');
}

/** fcntl(2) F_SETFD: the descriptor stays open when this process becomes another program. */
export function keepOnExecute(fd: number): void {
  const setDescriptorFlags = 2;
  check(fcntlCall(fd, setDescriptorFlags, 0), { syscall: 'fcntl', op: `keep descriptor ${fd}` });
}

function duplicateAbove(fd: number, lowest: number): number {
  const duplicateCloexec = 1030;
  return check(fcntlCall(fd, duplicateCloexec, lowest), {
    syscall: 'fcntl',
    op: `duplicate descriptor ${fd}`,
  });
}

function raise(fd: number): number {
  if (fd >= firstOwnDescriptor) return fd;
  const raised = duplicateAbove(fd, firstOwnDescriptor);
  closeNow(fd);
  return raised;
}

/**
 * memfd_create(2) for a file that is to be executed: MFD_EXEC where the kernel knows it (6.3). Undefined where
 * `vm.memfd_noexec` forbids executable ones.
 */
export function createExecutableMemfd(name: string): number | undefined {
  const memfdCloexec = 1;
  const memfdAllowSealing = 2;
  const memfdExec = 0x10;
  const flags = memfdCloexec | memfdAllowSealing;
  let outcome = memfdCreateCall(name, flags | memfdExec);
  const einval = 22;
  if (outcome.errno === einval) outcome = memfdCreateCall(name, flags);
  const eacces = 13;
  if (outcome.errno === eacces) return undefined;
  const fd = raise(check(outcome, { syscall: 'memfd_create', path: name }));
  if ((fstatSync(fd).mode & 0o111) !== 0) return fd;
  closeNow(fd);
  return undefined;
}

/** memfd_create(2) for data: close-on-exec, never executable where the kernel can say so (6.3). */
export function createMemfd(name: string): number {
  const memfdCloexec = 1;
  const memfdNoexecSeal = 8;
  let outcome = memfdCreateCall(name, memfdCloexec | memfdNoexecSeal);
  const einval = 22;
  if (outcome.errno === einval) outcome = memfdCreateCall(name, memfdCloexec);
  return raise(check(outcome, { syscall: 'memfd_create', path: name }));
}

/** fcntl(2) F_ADD_SEALS: nobody can write to, shrink or grow the memfd any more, nor take the seals off. */
export function sealMemfd(fd: number): void {
  const addSeals = 1033;
  const sealSealShrinkGrowWrite = 0xf;
  check(fcntlCall(fd, addSeals, sealSealShrinkGrowWrite), { syscall: 'fcntl', op: `seal descriptor ${fd}` });
}
