import { readlinkSync } from 'node:fs';
import type { NamespaceType, Process } from '../base/oci.ts';
import type { Seccomp } from '../base/oci-seccomp.ts';
import { seccompFilter } from '../kernel/seccomp-filter.ts';
import { bindToProcessors } from './affinity-steps.ts';
import { dieWithParent, writeText } from './common-steps.ts';
import { AT_FDCWD, flagsOf, named, OPEN, PRCTL } from './constants.ts';
import { namespaceFlag } from './namespace-steps.ts';
import { setLabels, setScheduling } from './process-attributes-steps.ts';
import { execute, limitResources, readOwnStat } from './process-steps.ts';
import type { Cell } from './program.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { becomeUser } from './user-steps.ts';

export interface CommandRequest {
  readonly process: Process;
  readonly seccomp?: Seccomp;
  /** Namespaces that the container shares with us: without privileges not even these could be joined. */
  readonly shared?: readonly NamespaceType[];
}

/** Where the two kinds of an exec differ: the one of the daemon, and the detached one (`hull oci`). */
export interface CommandForm {
  /** Descriptor of the container's first process's folder in /proc: it stands for the process, not for its number. */
  readonly target: number;
  /** The command is killed when its parent ends. */
  readonly diesWithParent: boolean;
  /** Sets up descriptors 0, 1 and 2 as far as that can be done outside; the session is there. */
  takeStreams(): void;
  /** Set when the process says nothing; undefined leaves the caller's. */
  readonly defaultOomScoreAdj?: number;
  /** In the namespaces and the root: for a terminal. */
  inRoot?(): void;
  /** Pipe on which the command is told that its seccomp listener is in good hands. */
  readonly listenerTold?: number | undefined;
}

/** The user namespace comes last: with it we have no rights outside any more. */
const namespaceFiles: readonly (readonly [NamespaceType, file: string])[] = [
  ['ipc', 'ipc'],
  ['uts', 'uts'],
  ['network', 'net'],
  ['cgroup', 'cgroup'],
  ['time', 'time'],
  ['mount', 'mnt'],
  ['user', 'user'],
];

/** Those that the target shares with this process. */
export function sharedNamespaces(pid: number): readonly NamespaceType[] {
  const link = (of: number | 'self', file: string) => {
    try {
      return readlinkSync(`/proc/${of}/ns/${file}`);
    } catch {
      return undefined;
    }
  };
  return namespaceFiles.flatMap(([type, file]) =>
    link(pid, file) !== undefined && link(pid, file) === link('self', file) ? [type] : [],
  );
}

/** Kernels may be built without them (time namespaces are there since 5.6). */
const isOptional = (type: NamespaceType): boolean => type === 'user' || type === 'time';

/** Before the clone of the command: only children are in a pid namespace. */
export function joinPidNamespace(p: ProgramBuilder, { process }: CommandRequest, target: number): void {
  bindToProcessors(p, 'initial', process);
  const pidNamespace = openInTarget(p, target, 'ns/pid', 'RDONLY');
  const joined = p.label('in the pid namespace');
  const what = 'join the pid namespace';
  p.call('setns', [pidNamespace, namespaceFlag('pid')], { what, errors: { EPERM: 'next' }, zero: joined });
  // Without privileges of our own we have those that the container's user namespace gives.
  const user = openInTarget(p, target, 'ns/user', 'RDONLY');
  p.call('setns', [user, namespaceFlag('user')], { what: 'join the user namespace first' });
  p.call('close', [user]);
  p.call('setns', [pidNamespace, namespaceFlag('pid')], { what });
  p.place(joined);
  p.call('close', [pidNamespace]);
}

/** From right after the clone, in the container's cgroups and pid namespace, to execve. */
export function becomeCommand(p: ProgramBuilder, request: CommandRequest, form: CommandForm): void {
  const { process } = request;
  if (form.diesWithParent) dieWithParent(p);
  p.call('prctl', [named(PRCTL.SET_DUMPABLE, 'PR_SET_DUMPABLE'), 0, 0, 0, 0], {
    what: 'keep others from looking in',
  });
  p.call('setsid', [], { what: 'begin a session' });
  bindToProcessors(p, 'final', process);
  form.takeStreams();
  const proc = p.cell('proc');
  p.call('openat', [AT_FDCWD, p.text('/proc'), flagsOf('O_', OPEN, ['PATH', 'CLOEXEC'])], {
    what: 'open /proc',
    result: proc,
  });
  const stat = readOwnStat(p, proc);
  const score = process.oomScoreAdj ?? form.defaultOomScoreAdj;
  if (score !== undefined)
    writeText(p, proc, 'self/oom_score_adj', String(score), { what: `set oom_score_adj to ${score}` });
  limitResources(p, process);
  setScheduling(p, process);
  setLabels(p, process, proc);
  joinContainer(p, form.target, request.shared);
  form.inRoot?.();
  p.call('chdir', [p.text(process.cwd)], { what: `enter working folder ${JSON.stringify(process.cwd)}` });
  const seccomp = request.seccomp && seccompFilter(request.seccomp);
  becomeUser(p, process, {
    loadsFilter: seccomp !== undefined,
    diesWithParent: form.diesWithParent,
    ownUserNamespace: true,
  });
  execute(p, process, stat, { seccomp, listenerTold: form.listenerTold });
}

function joinContainer(p: ProgramBuilder, target: number, shared: readonly NamespaceType[] = []): void {
  const root = openInTarget(p, target, 'root', 'PATH');
  const others = namespaceFiles.filter(([type]) => !shared.includes(type));
  const namespaces = others.map(
    ([type, file]) => [type, openInTarget(p, target, `ns/${file}`, 'RDONLY', isOptional(type))] as const,
  );
  for (const [type, fd] of namespaces)
    p.call('setns', [fd, namespaceFlag(type)], {
      what: `join the ${type} namespace`,
      // One's own user namespace cannot be joined: the container has none; nor one that the kernel does not have.
      ...(isOptional(type) ? { errors: { EINVAL: 'next', EBADF: 'next' } } : {}),
    });
  p.call('fchdir', [root], { what: "enter the container's root" });
  p.call('chroot', [p.text('.')], { what: "make the container's root ours" });
}

function openInTarget(
  p: ProgramBuilder,
  target: number,
  path: string,
  mode: 'RDONLY' | 'PATH',
  optional = false,
): Cell {
  const fd = p.cell(path);
  p.call('openat', [target, p.text(path), flagsOf('O_', OPEN, [mode, 'CLOEXEC'])], {
    what: `open ${path} of the target`,
    result: fd,
    ...(optional ? { errors: { ENOENT: 'next' } } : {}),
  });
  return fd;
}
