import type { NamespaceType, Process, Spec } from '../base/oci.ts';
import { seccompFilter } from '../kernel/seccomp-filter.ts';
import { cloneInto } from './clone-steps.ts';
import { begin, report, reportFailures, writeText } from './common-steps.ts';
import { ownPipes } from './compile-detached.ts';
import { AT_FDCWD, flagsOf, named, OPEN, PRCTL } from './constants.ts';
import { namespaceFlag } from './namespace-steps.ts';
import { execute, limitResources, readOwnStat } from './process-steps.ts';
import type { Cell, Program } from './program.ts';
import { ProgramBuilder } from './program-builder.ts';
import { connectConsoleSocket, masterDescriptor, openTerminal, sendDescriptor } from './terminal-steps.ts';
import type { CgroupEntry, ExecRequest } from './types.ts';
import { becomeUser } from './user-steps.ts';

/** A command in a container of the OCI command line: its streams are the caller's, nothing of ours waits for it. */
export interface DetachedExecRequest {
  readonly target: ExecRequest['target'];
  readonly cgroup: CgroupEntry;
  readonly process: Process;
  readonly seccomp?: NonNullable<Spec['linux']['seccomp']>;
  readonly preservedDescriptors: number;
  /** Socket that gets the terminal's master, where the process has one. */
  readonly consoleSocket?: string;
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

export const detachedExecRecord = ({ preservedDescriptors }: DetachedExecRequest): number =>
  3 + preservedDescriptors;

/** The descriptor behind the record pipe's is the target's folder in /proc. Pure. */
export function compileDetachedExec(request: DetachedExecRequest): Program {
  const { process } = request;
  const p = new ProgramBuilder(detachedExecRecord(request));
  const target = p.recordDescriptor + 1;
  reportFailures(p, 'exec');
  begin(p, 'hull-oci', target + 1);
  p.call('fcntl', [target, named(2, 'F_SETFD'), named(1, 'FD_CLOEXEC')], {
    what: 'mark the target close-on-exec',
  });
  const pidNamespace = openInTarget('ns/pid', 'RDONLY');
  p.call('setns', [pidNamespace, namespaceFlag('pid')], { what: 'join the pid namespace' });
  const pid = p.cell('pid');
  const parent = p.label('launcher');
  cloneInto(p, request.cgroup, { value: 0, text: '' }, pid, parent, { sibling: true });
  reportFailures(p, 'command');
  p.call('prctl', [named(PRCTL.SET_DUMPABLE, 'PR_SET_DUMPABLE'), 0, 0, 0, 0], {
    what: 'keep others from looking in',
  });
  p.call('setsid', [], { what: 'begin a session' });
  if (!process.terminal) ownPipes(p, process.user.uid);
  const proc = p.cell('proc');
  p.call('openat', [AT_FDCWD, p.text('/proc'), flagsOf('O_', OPEN, ['PATH', 'CLOEXEC'])], {
    what: 'open /proc',
    result: proc,
  });
  const stat = readOwnStat(p, proc);
  const { oomScoreAdj: score } = process;
  if (score !== undefined)
    writeText(p, proc, 'self/oom_score_adj', String(score), { what: `set oom_score_adj to ${score}` });
  limitResources(p, process);
  const console =
    process.terminal && request.consoleSocket !== undefined
      ? connectConsoleSocket(p, request.consoleSocket)
      : undefined;
  const root = openInTarget('root', 'PATH');
  const namespaces = namespaceFiles.map(
    ([type, file]) => [type, openInTarget(`ns/${file}`, 'RDONLY')] as const,
  );
  for (const [type, fd] of namespaces)
    p.call('setns', [fd, namespaceFlag(type)], {
      what: `join the ${type} namespace`,
      // One's own user namespace cannot be joined: the container has none.
      ...(type === 'user' ? { errors: { EINVAL: 'next' } } : {}),
    });
  p.call('fchdir', [root], { what: "enter the container's root" });
  p.call('chroot', [p.text('.')], { what: "make the container's root ours" });
  if (process.terminal) {
    openTerminal(p, process);
    if (console) {
      sendDescriptor(p, console, masterDescriptor(p));
      p.call('close', [masterDescriptor(p)]);
    }
  }
  p.call('chdir', [p.text(process.cwd)], { what: `enter working folder ${JSON.stringify(process.cwd)}` });
  const seccomp = request.seccomp && seccompFilter(request.seccomp);
  becomeUser(p, process, {
    loadsFilter: seccomp !== undefined,
    diesWithParent: false,
    ownUserNamespace: true,
  });
  execute(p, process, stat, { seccomp });

  p.place(parent);
  reportFailures(p, 'launcher with a child');
  report(p, 'pid', pid);
  p.call('exit_group', [0]);
  return p.build();

  function openInTarget(path: string, mode: 'RDONLY' | 'PATH'): Cell {
    const fd = p.cell(path);
    p.call('openat', [target, p.text(path), flagsOf('O_', OPEN, [mode, 'CLOEXEC'])], {
      what: `open ${path} of the target`,
      result: fd,
    });
    return fd;
  }
}
