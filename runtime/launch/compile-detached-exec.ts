import type { NamespaceType, Process } from '../base/oci.ts';
import type { Seccomp } from '../base/oci-seccomp.ts';
import { seccompFilter } from '../kernel/seccomp-filter.ts';
import { cloneInto } from './clone-steps.ts';
import { begin, dieWithParent, report, reportFailures } from './common-steps.ts';
import { ownPipes } from './compile-detached.ts';
import { named } from './constants.ts';
import { becomeCommand, joinPidNamespace } from './exec-steps.ts';
import { keepMaster } from './keep-terminal-steps.ts';
import { type Pair, pairOf } from './pair-steps.ts';
import type { Cell, Program } from './program.ts';
import { ProgramBuilder } from './program-builder.ts';
import { connectConsoleSocket, masterDescriptor, openTerminal, sendDescriptor } from './terminal-steps.ts';
import type { CgroupEntry, ExecRequest } from './types.ts';

/** A command in a container of the OCI command line: its streams are the caller's, nothing of ours waits for it. */
export interface DetachedExecRequest extends DetachedExecProgram {
  readonly target: ExecRequest['target'];
}

/** What its program depends on. */
export interface DetachedExecProgram {
  readonly cgroup: CgroupEntry;
  readonly process: Process;
  readonly seccomp?: Seccomp;
  readonly shared?: readonly NamespaceType[];
  readonly preservedDescriptors: number;
  /** Socket that gets the terminal's master, where the process has one. Without it the launcher keeps the master until it is ended. */
  readonly consoleSocket?: string;
}

export const detachedExecRecord = ({ preservedDescriptors }: DetachedExecProgram): number =>
  3 + preservedDescriptors;

/** Whether the launcher stays, with the master of the command's terminal as its `masterDescriptor`. */
export const launcherKeepsMaster = ({ process, consoleSocket }: DetachedExecProgram): boolean =>
  process.terminal === true && consoleSocket === undefined;

/** Whether the command has a seccomp listener: then the descriptor behind the target's is the pipe it is told by to go on. */
export const hasListener = ({ seccomp }: DetachedExecProgram): boolean =>
  seccomp !== undefined && seccompFilter(seccomp).listens;

/** The descriptor behind the record pipe's is the target's folder in /proc. Pure. */
export function compileDetachedExec(request: DetachedExecProgram): Program {
  const { process } = request;
  const p = new ProgramBuilder(detachedExecRecord(request));
  const target = p.recordDescriptor + 1;
  reportFailures(p, 'exec');
  const told = hasListener(request) ? target + 1 : undefined;
  begin(p, 'hull-oci', (told ?? target) + 1);
  for (const fd of [target, ...(told === undefined ? [] : [told])])
    p.call('fcntl', [fd, named(2, 'F_SETFD'), named(1, 'FD_CLOEXEC')], {
      what: `mark descriptor ${fd} close-on-exec`,
    });
  const console = openConsole(p, request);
  joinPidNamespace(p, request, target);
  const pid = p.cell('pid');
  const parent = p.label('launcher');
  cloneInto(p, request.cgroup, { value: 0, text: '' }, pid, parent, { sibling: true });
  reportFailures(p, 'command');
  becomeCommand(p, request, {
    target,
    diesWithParent: false,
    listenerTold: told,
    takeStreams() {
      if (console?.pair) p.call('close', [console.pair.read]);
      if (!process.terminal) ownPipes(p, process.user.uid);
    },
    inRoot() {
      if (!console) return;
      openTerminal(p, process);
      sendDescriptor(p, console.socket, masterDescriptor(p));
      p.call('close', [masterDescriptor(p)]);
      p.call('close', [console.socket]);
    },
  });

  p.place(parent);
  reportFailures(p, 'launcher with a child');
  report(p, 'pid', pid);
  if (console?.pair) keepMaster(p, console.pair);
  p.call('exit_group', [0]);
  return p.build();
}

/** Where the command sends the master of its terminal: somebody's socket, or a pair whose other end is the launcher's. */
function openConsole(
  p: ProgramBuilder,
  { process, consoleSocket }: DetachedExecProgram,
): { readonly socket: Cell; readonly pair?: Pair } | undefined {
  if (!process.terminal) return undefined;
  if (consoleSocket !== undefined) return { socket: connectConsoleSocket(p, consoleSocket) };
  dieWithParent(p);
  const pair = pairOf(p, 'socketpair', 'the terminal');
  return { socket: pair.write, pair };
}
