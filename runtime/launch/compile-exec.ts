import type { NamespaceType } from '../base/oci.ts';
import { seccompFilter } from '../kernel/seccomp-filter.ts';
import { cloneInto } from './clone-steps.ts';
import { begin, dieWithParent, report, reportFailures, writeText } from './common-steps.ts';
import { AT_FDCWD, flagsOf, named, OPEN, PRCTL, SIGKILL } from './constants.ts';
import { controlDescriptor, copyTerminal, openExecTerminal } from './exec-terminal-steps.ts';
import { namespaceFlag } from './namespace-steps.ts';
import { setLabels, setScheduling } from './process-attributes-steps.ts';
import { execute, limitResources, ownStandardStreams, readOwnStat } from './process-steps.ts';
import type { Cell, Program } from './program.ts';
import { address, ProgramBuilder } from './program-builder.ts';
import { recordDescriptor } from './records.ts';
import { handOverTerminal } from './terminal-handover.ts';
import type { ExecRequest } from './types.ts';
import { becomeUser } from './user-steps.ts';

/** The pipe that takes the command's wait status (8 bytes). */
export const statusDescriptor = 4;
/** The target's folder in /proc: it stands for the process, not for its number. */
export const targetDescriptor = 5;

const namespaceFiles: readonly (readonly [NamespaceType, file: string])[] = [
  ['ipc', 'ipc'],
  ['uts', 'uts'],
  ['network', 'net'],
  ['cgroup', 'cgroup'],
  ['time', 'time'],
  ['mount', 'mnt'],
  // Last: with it we have no rights outside any more.
  ['user', 'user'],
];

/**
 * The program of an exec: a parent that stays outside, so that it pins nothing of the container, and waits; and a child that
 * enters cgroup, namespaces and root and becomes the command. Pure.
 */
export function compileExec(request: ExecRequest): Program {
  const { process } = request;
  const p = new ProgramBuilder();
  reportFailures(p, 'exec');
  const own = [statusDescriptor, targetDescriptor, ...(process.terminal ? [controlDescriptor] : [])];
  begin(p, 'hull-exec', statusDescriptor + own.length);
  for (const fd of own)
    p.call('fcntl', [fd, named(2, 'F_SETFD'), named(1, 'FD_CLOEXEC')], {
      what: `mark descriptor ${fd} close-on-exec`,
    });
  dieWithParent(p);
  const pidNamespace = openInTarget(p, 'ns/pid', 'RDONLY');
  p.call('setns', [pidNamespace, namespaceFlag('pid')], { what: 'join the pid namespace' });

  const pid = p.cell('pid');
  const parent = p.label('exec parent');
  const terminal = process.terminal ? openExecTerminal(p) : undefined;
  cloneInto(p, request.cgroup, { value: 0, text: '' }, pid, parent);
  reportFailures(p, 'command');
  dieWithParent(p);
  p.call('prctl', [named(PRCTL.SET_DUMPABLE, 'PR_SET_DUMPABLE'), 0, 0, 0, 0], {
    what: 'keep others from looking in',
  });
  p.call('setsid', [], { what: 'begin a session' });
  if (!terminal) ownStandardStreams(p, process.user, request.openStdin ? [0, 1, 2] : [1, 2]);
  const proc = p.cell('proc');
  p.call('openat', [AT_FDCWD, p.text('/proc'), flagsOf('O_', OPEN, ['PATH', 'CLOEXEC'])], {
    what: 'open /proc',
    result: proc,
  });
  const stat = readOwnStat(p, proc);
  const score = String(process.oomScoreAdj ?? 0);
  writeText(p, proc, 'self/oom_score_adj', score, { what: `set oom_score_adj to ${score}` });
  limitResources(p, process);
  setScheduling(p, process);
  setLabels(p, process, proc);
  const root = openInTarget(p, 'root', 'PATH');
  const namespaces = namespaceFiles.map(
    ([type, file]) => [type, openInTarget(p, `ns/${file}`, 'RDONLY', isOptional(type))] as const,
  );
  for (const [type, fd] of namespaces)
    p.call('setns', [fd, namespaceFlag(type)], {
      what: `join the ${type} namespace`,
      // One's own user namespace cannot be joined: the container has none; nor one that the kernel does not have.
      ...(isOptional(type) ? { errors: { EINVAL: 'next', EBADF: 'next' } } : {}),
    });
  p.call('fchdir', [root], { what: "enter the container's root" });
  p.call('chroot', [p.text('.')], { what: "make the container's root ours" });
  if (terminal) handOverTerminal(p, process, terminal.handover);
  p.call('chdir', [p.text(process.cwd)], { what: `enter working folder ${JSON.stringify(process.cwd)}` });
  const seccomp = request.seccomp && seccompFilter(request.seccomp);
  becomeUser(p, process, {
    loadsFilter: seccomp !== undefined,
    diesWithParent: true,
    ownUserNamespace: true,
  });
  execute(p, process, stat, { seccomp });

  p.place(parent);
  reportFailures(p, 'exec parent', () => {
    p.call('kill', [pid, named(SIGKILL, 'SIGKILL')], { what: 'kill the command', errors: 'next' });
    p.call('wait4', [pid, 0, 0, 0], { what: 'wait for the command', errors: 'next' });
  });
  report(p, 'pid', pid);
  const status = p.cell('status');
  if (terminal) copyTerminal(p, terminal, { pid, status, openStdin: request.openStdin });
  else {
    for (const fd of [0, 1, 2, recordDescriptor]) p.call('close', [fd], { errors: 'next' });
    p.call('wait4', [pid, address(status.area), 0, 0], { what: 'wait for the command', errors: 'next' });
  }
  p.call('write', [statusDescriptor, address(status.area), 8], { what: 'report the status', errors: 'next' });
  p.call('exit_group', [0]);
  return p.build();
}

/** Kernels may be built without them (time namespaces are there since 5.6). */
const isOptional = (type: NamespaceType): boolean => type === 'user' || type === 'time';

function openInTarget(p: ProgramBuilder, path: string, mode: 'RDONLY' | 'PATH', optional = false): Cell {
  const fd = p.cell(path);
  p.call('openat', [targetDescriptor, p.text(path), flagsOf('O_', OPEN, [mode, 'CLOEXEC'])], {
    what: `open ${path} of the target`,
    result: fd,
    ...(optional ? { errors: { ENOENT: 'next' } } : {}),
  });
  return fd;
}
