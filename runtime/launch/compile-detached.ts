import type { Hook, Spec } from '../base/oci.ts';
import type { MountSpec } from '../kernel/mount-spec.ts';
import type { CgroupFolder } from './cgroup-mount-steps.ts';
import { begin, report, reportFailures } from './common-steps.ts';
import { AT_FDCWD, flagsOf, MODE, named, OPEN } from './constants.ts';
import { becomeContainer } from './first-process.ts';
import { runHook } from './hook-steps.ts';

import { quote } from './mount-steps.ts';
import { planNamespaces } from './namespace-steps.ts';
import { fifo } from './open-monitor-steps.ts';
import type { Cell, Program } from './program.ts';
import { address, at, ProgramBuilder } from './program-builder.ts';
import {
  connectConsoleSocket,
  masterDescriptor,
  mountConsole,
  openTerminal,
  sendDescriptor,
} from './terminal-steps.ts';
import type { CgroupEntry } from './types.ts';
import { cloneContainer } from './user-namespace-steps.ts';
import { keepsGroups } from './user-steps.ts';

/** A container without a monitor, as the OCI command line makes it. Pure data. */
export interface DetachedRequest {
  readonly id: string;
  readonly spec: Spec;
  readonly rootMounts: readonly MountSpec[];
  readonly cgroup: CgroupEntry;
  /** As in LaunchRequest. */
  readonly noPivot?: boolean;
  /** The first process waits on this FIFO before it becomes the command. Made by it. */
  readonly startFifo: string;
  /** It tells here how that went: the end without a word is success. Made by it. */
  readonly outcomeFifo: string;
  /** Files with the container's state for the hooks, written at the sync step. */
  readonly stateFiles: { readonly creating: string; readonly created: string };
  /** As in RootRequest, both. */
  readonly shownCgroups?: readonly CgroupFolder[];
  readonly inUserNamespace?: boolean;
  /** Descriptors from 3 on that the command is to have. */
  readonly preservedDescriptors: number;
  /** Socket that gets the terminal's master. Without one it stays open in the first process until that has started. */
  readonly consoleSocket?: string;
}

/** Whether the program stops once, namespaces made and root not yet, until it is told to go on. */
export function needsSync({ spec }: DetachedRequest): boolean {
  const { prestart = [], createRuntime = [], createContainer = [], startContainer = [] } = spec.hooks ?? {};
  return [prestart, createRuntime, createContainer, startContainer].some((hooks) => hooks.length > 0);
}

/** Above the streams and the preserved ones; the pipe it is told by to go on has the next number. */
export const detachedRecordDescriptor = ({ preservedDescriptors }: DetachedRequest): number =>
  3 + preservedDescriptors;

/**
 * A launcher that clones the first process off as a sibling, tells its pid and ends; and the first process, which sets
 * itself up, tells that, and waits for `start`.
 */
export function compileDetached(request: DetachedRequest): Program {
  const { spec } = request;
  const namespaces = planNamespaces(spec);
  const p = new ProgramBuilder(detachedRecordDescriptor(request));
  const sync = p.recordDescriptor + 1;
  reportFailures(p, 'launcher');
  begin(p, 'hull-oci', sync + 1);
  p.call('fcntl', [sync, named(2, 'F_SETFD'), named(1, 'FD_CLOEXEC')], {
    what: 'mark the sync pipe close-on-exec',
  });
  // Here, as the first process may have no right to them: in a user namespace it is nobody outside.
  const start = fifo(p, 'start FIFO', request.startFifo);
  const outcome = fifo(p, 'outcome FIFO', request.outcomeFifo);
  const creating = needsSync(request) ? openState(p, request.stateFiles.creating) : undefined;
  const created = needsSync(request) ? openState(p, request.stateFiles.created) : undefined;
  const console =
    spec.process.terminal && request.consoleSocket !== undefined
      ? connectConsoleSocket(p, request.consoleSocket)
      : undefined;
  const pid = p.cell('pid');
  const parent = p.label('launcher');
  const outside = cloneContainer(p, {
    spec,
    cgroup: request.cgroup,
    namespaces,
    pid,
    parent,
    as: 'sibling',
    oomScoreAdj: spec.process.oomScoreAdj,
    keepsGroups: keepsGroups(spec),
  });
  reportFailures(p, 'container');
  becomeContainer(p, request, namespaces, {
    ...(creating ? { hooks: () => waitForHooks(p, spec, sync, creating) } : {}),
    outside,
    diesWithParent: false,
    keepsGroups: keepsGroups(spec),
    takeStreams() {
      if (!spec.process.terminal) ownPipes(p, spec.process.user.uid);
    },
    inRoot() {
      if (!spec.process.terminal) return;
      openTerminal(p, spec.process);
      mountConsole(p);
      if (!console) return;
      sendDescriptor(p, console, masterDescriptor(p));
      p.call('close', [masterDescriptor(p)]);
    },
    listenerTold: sync,
    beforeExecute() {
      for (const fd of [p.recordDescriptor, sync]) p.call('close', [fd], { errors: 'next' });
      reportFailures(p, 'start', undefined, outcome);
      p.call('read', [start, address(p.buffer('start', 8)), 1], { what: 'wait for the start' });
      p.call('close', [start], { errors: 'next' });
    },
    afterFilter() {
      if (created) runHooks(p, 'startContainer', spec.hooks?.startContainer, created);
    },
  });

  p.place(parent);
  reportFailures(p, 'launcher with a child');
  report(p, 'pid', pid);
  p.call('exit_group', [0]);
  return p.build();
}

/** The command line runs the hooks that are its own, then the program runs the others. */
function waitForHooks(p: ProgramBuilder, { hooks }: Spec, sync: number, state: Cell): void {
  const stop = p.label('stop');
  const over = p.label('go on');
  report(p, 'sync');
  p.call('read', [sync, address(p.buffer('word', 8)), 1], {
    what: 'wait for the hooks',
    zero: stop,
    positive: over,
  });
  p.place(stop);
  p.call('exit_group', [1]);
  p.place(over);
  runHooks(p, 'createContainer', hooks?.createContainer, state);
  p.call('close', [state]);
}

function openState(p: ProgramBuilder, path: string): Cell {
  const fd = p.cell('state');
  p.call('openat', [AT_FDCWD, p.text(path), flagsOf('O_', OPEN, ['RDONLY', 'CLOEXEC'])], {
    what: `open ${quote(path)}`,
    result: fd,
  });
  return fd;
}

function runHooks(p: ProgramBuilder, kind: string, hooks: readonly Hook[] = [], state: Cell): void {
  for (const [index, hook] of hooks.entries()) runHook(p, hook, { kind, number: index + 1, state });
}

/** Pipes belong to whom made them; the user must be able to open them again as /dev/stdout. Devices and files stay as they are. */
export function ownPipes(p: ProgramBuilder, uid: number): void {
  if (uid === 0) return;
  for (const fd of [0, 1, 2]) {
    const status = p.buffer('statx', 256);
    const other = p.label(`descriptor ${fd} is no pipe`);
    const pipe = p.label(`descriptor ${fd} is a pipe`);
    const [emptyPath, type] = [named(0x1000, 'AT_EMPTY_PATH'), named(1, 'STATX_TYPE')];
    p.call('statx', [fd, p.text(''), emptyPath, type, address(status)], { errors: other });
    p.local(at(status, 28), {
      mask: 0xf000n,
      minus: MODE.FIFO,
      zero: pipe,
      negative: other,
      positive: other,
    });
    p.place(pipe);
    p.call('fchown', [fd, uid, -1], { what: `give descriptor ${fd} to user ${uid}`, errors: 'next' });
    p.place(other);
  }
}
