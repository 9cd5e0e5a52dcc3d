import { HullError } from '../base/errors.ts';
import type { Process, User } from '../base/oci.ts';
import type { SeccompFilter } from '../kernel/seccomp-filter.ts';
import { words } from './common-steps.ts';
import { AT_FDCWD, flagsOf, named, OPEN } from './constants.ts';
import { quote } from './mount-steps.ts';
import type { AreaPart, Cell } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';
import { recordSize, recordTag, statSize } from './records.ts';
import { loadListeningSeccomp, loadSeccomp } from './seccomp-steps.ts';

/** RLIMIT_* of asm-generic/resource.h. */
const rlimitNumbers: Readonly<Record<string, number>> = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
};

/** Reads our own line of /proc/self/stat: the daemon needs our start time even when we have ended before it can look. */
export function readOwnStat(p: ProgramBuilder, procFolder: Cell): AreaPart {
  const record = p.buffer('alive record', recordSize + statSize);
  const fd = p.cell('stat');
  p.set(at(record, 0), recordTag.alive);
  p.call('openat', [procFolder, p.text('self/stat'), flagsOf('O_', OPEN, ['RDONLY', 'CLOEXEC'])], {
    what: 'open /proc/self/stat',
    result: fd,
  });
  p.call('read', [fd, address(record, recordSize), statSize], {
    what: 'read /proc/self/stat',
    result: at(record, 8),
  });
  p.call('close', [fd]);
  return address(record);
}

/** Resource limits. Node raises its soft NOFILE limit, so that one is always set: to the kernel's own default. */
export function limitResources(p: ProgramBuilder, { rlimits = [] }: Pick<Process, 'rlimits'>): void {
  if (!rlimits.some(({ type }) => type === 'RLIMIT_NOFILE')) {
    const limit = p.buffer('{soft: 1024, hard: as it is}', 16);
    const noFile = named(7, 'RLIMIT_NOFILE');
    p.call('prlimit64', [0, noFile, 0, address(limit)], { what: 'read RLIMIT_NOFILE' });
    p.set(at(limit, 0), 1024);
    p.call('prlimit64', [0, noFile, address(limit), 0], { what: 'set RLIMIT_NOFILE to 1024' });
  }
  setLimits(p, { rlimits });
}

function setLimits(p: ProgramBuilder, { rlimits = [] }: Pick<Process, 'rlimits'>): void {
  const wanted = rlimits.map(({ type, soft, hard }) => {
    const number = rlimitNumbers[type];
    if (number === undefined)
      throw new HullError(
        `Cannot set limit ${quote(type)}: found an unknown name, wanted one as "RLIMIT_NOFILE"`,
        { kind: 'invalid' },
      );
    return { type, number, soft, hard };
  });
  for (const { type, number, soft, hard } of wanted) {
    const limit = words(p, `{soft: ${soft}, hard: ${hard}}`, [limitValue(soft), limitValue(hard)]);
    p.call('prlimit64', [0, named(number, type), address(limit), 0], {
      what: `set ${type} to ${soft}:${hard}`,
    });
  }
}

/**
 * The hard limits alone, with the soft ones at the same height: for a process that has the right to raise them, for the sake of
 * a child in a user namespace that has not. Few descriptors are no higher limit, and would be too few for what follows.
 */
export function raiseHardLimits(p: ProgramBuilder, { rlimits = [] }: Process): void {
  const raised = rlimits.filter(({ type, hard }) => type !== 'RLIMIT_NOFILE' || hard < 0 || hard >= 4096);
  setLimits(p, { rlimits: raised.map(({ type, hard }) => ({ type, soft: hard, hard })) });
}

/** OCI has -1 for unlimited, JSON numbers above 2^53 mean it too. */
function limitValue(value: number): bigint {
  return value < 0 || value > Number.MAX_SAFE_INTEGER ? 0xffffffffffffffffn : BigInt(value);
}

export interface ExecuteOptions {
  readonly seccomp: SeccompFilter | undefined;
  readonly beforeExecute?: (() => void) | undefined;
  /** Hooks that the filter holds for as well. */
  readonly afterFilter?: (() => void) | undefined;
  /** Pipe on which we are told that the seccomp listener is in good hands. */
  readonly listenerTold?: number | undefined;
}

/** Goes to the working folder, tells the daemon (EPIPE ends the start when it is gone), and becomes the command. */
export function execute(p: ProgramBuilder, process: Process, stat: AreaPart, options: ExecuteOptions): void {
  const { seccomp, beforeExecute, afterFilter } = options;
  const [command] = process.args;
  if (command === undefined || command === '')
    throw new HullError('Cannot start a container: found no command, wanted args[0]', { kind: 'invalid' });
  const env = process.env ?? [];
  const candidates = candidatesOf(command, env);
  const argv = p.vector('argv', process.args);
  const envp = p.vector('envp', env);
  const what = `run ${quote(command)}`;
  const chosen = beforeExecute && findCommand(p, candidates, what);
  p.call('write', [p.recordDescriptor, stat, recordSize + statSize], {
    what: 'tell the daemon of the start',
  });
  const noSignal = words(p, 'no signals', [0]);
  p.call('rt_sigprocmask', [named(2, 'SIG_SETMASK'), address(noSignal), 0, 8], { what: 'unblock signals' });
  const listens = seccomp?.listens && options.listenerTold !== undefined;
  if (listens) loadListeningSeccomp(p, seccomp, options.listenerTold);
  beforeExecute?.();
  if (seccomp && !listens) loadSeccomp(p, seccomp);
  afterFilter?.();
  if (chosen) {
    p.call('execve', [chosen, argv, envp], { what });
    return;
  }
  const [first, ...others] = candidates;
  if (first === undefined) throw new Error('candidatesOf answers at least one');
  if (others.length === 0) {
    p.call('execve', [p.text(first), argv, envp], { what });
    return;
  }
  // As execvp(3): go on where there is no such file; one that may not be executed is remembered, and reported when
  // no other is found.
  const found = p.pointer('best candidate', p.text(first));
  for (const [index, candidate] of candidates.entries()) {
    const next = p.label(`candidate ${index + 2}`);
    const denied = p.label(`${candidate} denied`);
    p.call('execve', [p.text(candidate), argv, envp], {
      what,
      errors: { ENOENT: next, ENOTDIR: next, EACCES: denied },
    });
    p.place(denied);
    p.copy(p.pointer('denied candidate', p.text(candidate)), found);
    p.place(next);
  }
  p.call('execve', [found, argv, envp], { what });
}

/**
 * The first of the candidates that the user may execute, for a start that comes later: what cannot be run is to be known when the
 * container is created.
 */
function findCommand(p: ProgramBuilder, candidates: readonly string[], what: string): Cell {
  const chosen = p.pointer('command', p.text(candidates[0] ?? ''));
  const found = p.label('command found');
  const executable = named(1, 'X_OK');
  for (const [index, candidate] of candidates.entries()) {
    p.copy(p.pointer(`candidate ${index + 1}`, p.text(candidate)), chosen);
    const next = { ENOENT: 'next', ENOTDIR: 'next', EACCES: 'next' } as const;
    p.call('faccessat2', [AT_FDCWD, p.text(candidate), executable, named(0x200, 'AT_EACCESS')], {
      what,
      // Older than Linux 5.8: execve itself tells.
      errors: { ENOSYS: found, EPERM: found, ...(index === candidates.length - 1 ? {} : next) },
      zero: found,
    });
  }
  p.place(found);
  return chosen;
}

function candidatesOf(command: string, env: readonly string[]): readonly string[] {
  if (command.includes('/')) return [command];
  const path = env.findLast((entry) => entry.startsWith('PATH='))?.slice('PATH='.length);
  const folders = (path ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin').split(':');
  return folders.map((folder) => (folder === '' ? `./${command}` : `${folder}/${command}`));
}

/** Pipes and FIFOs belong to whom made them; the user must be able to open them again as /dev/stdout. */
export function ownStandardStreams(
  p: ProgramBuilder,
  user: Pick<User, 'uid' | 'gid'>,
  descriptors: readonly (number | Cell)[],
): void {
  if (user.uid === 0 && user.gid === 0) return;
  for (const fd of descriptors) {
    const name = typeof fd === 'number' ? `descriptor ${fd}` : fd.area.name;
    p.call('fchown', [fd, user.uid, user.gid], { what: `give ${name} to user ${user.uid}` });
  }
}

/** Enters the cgroups by writing `0` to each `cgroup.procs` or `tasks`. */
export function enterCgroups(p: ProgramBuilder, files: readonly string[]): void {
  for (const file of files) {
    const fd = p.cell('cgroup');
    const what = `enter cgroup ${quote(file)}`;
    p.call('openat', [AT_FDCWD, p.text(file), flagsOf('O_', OPEN, ['WRONLY', 'CLOEXEC'])], {
      what,
      result: fd,
    });
    p.call('write', [fd, p.text('0'), 1], { what });
    p.call('close', [fd], { what });
  }
}
