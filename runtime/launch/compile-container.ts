import { HullError } from '../base/errors.ts';
import type { IdMapping, Spec } from '../base/oci.ts';
import { reportFailures } from './common-steps.ts';
import { AT_FDCWD, flagsOf, OPEN } from './constants.ts';
import { becomeContainer } from './first-process.ts';
import { watchContainer } from './monitor-steps.ts';
import { mountRootEarly, needsEarlyMount } from './mount-steps.ts';
import { planNamespaces } from './namespace-steps.ts';
import { openMonitor } from './open-monitor-steps.ts';
import { ownStandardStreams } from './process-steps.ts';
import type { Cell, Program } from './program.ts';
import { ProgramBuilder } from './program-builder.ts';
import { runFiles } from './run-dir.ts';
import { handOverTerminal } from './terminal-handover.ts';
import { mountConsole } from './terminal-steps.ts';
import type { LaunchRequest } from './types.ts';
import { cloneContainer, toHostId } from './user-namespace-steps.ts';

/** The program that is a container's monitor and, after its clone, the container's first process. Pure. */
export function compileContainer(request: LaunchRequest): Program {
  const { spec } = request;
  const namespaces = planNamespaces(spec);
  const p = new ProgramBuilder();
  reportFailures(p, 'monitor');
  const monitor = openMonitor(p, request);
  const pid = p.cell('pid');
  const parent = p.label('monitor');
  const { streams } = monitor;
  // Before the clone: what is the host's cannot be opened or given away from within a user namespace.
  const stdin =
    request.openStdin && streams.kind === 'pipes'
      ? openStdinReader(runFiles(request.runDir).stdin)
      : undefined;
  if (namespaces.user === 'new' && streams.kind === 'pipes')
    ownStandardStreams(p, hostUser(spec), [
      ...(stdin ? [stdin] : []),
      streams.stdout.write,
      streams.stderr.write,
    ]);
  const goBack = needsEarlyMount(request.rootMounts)
    ? mountRootEarly(p, request.rootMounts, request.runDir)
    : undefined;
  const outside = cloneContainer(p, {
    spec,
    cgroup: request.cgroup,
    namespaces,
    pid,
    parent,
    as: 'child',
    oomScoreAdj: spec.process.oomScoreAdj ?? 0,
  });
  reportFailures(p, 'container');
  const rootMounts = goBack ? { mountedAt: request.runDir } : request.rootMounts;
  becomeContainer(p, { ...request, rootMounts }, namespaces, {
    outside,
    diesWithParent: true,
    // The monitor's own is -999.
    defaultOomScoreAdj: 0,
    takeStreams() {
      p.call('close', [monitor.alive], { what: 'leave the liveness FIFO to the monitor' });
      if (streams.kind === 'terminal') return;
      if (stdin) p.call('dup3', [stdin, 0, 0], { what: 'take stdin' });
      p.call('dup3', [streams.stdout.write, 1, 0], { what: 'take stdout' });
      p.call('dup3', [streams.stderr.write, 2, 0], { what: 'take stderr' });
      if (namespaces.user === undefined)
        ownStandardStreams(p, spec.process.user, request.openStdin ? [0, 1, 2] : [1, 2]);
    },
    inRoot() {
      if (streams.kind !== 'terminal') return;
      handOverTerminal(p, spec.process, streams.handover);
      mountConsole(p);
    },
  });

  p.place(parent);
  const { readyDescriptor } = request.cgroup;
  if (readyDescriptor !== undefined) p.call('close', [readyDescriptor], { errors: 'next' });
  goBack?.();
  if (stdin) p.call('close', [stdin], { errors: 'next' });
  watchContainer(p, request, monitor, pid);
  return p.build();

  /** For reading only: the monitor's descriptor writes as well, and with it inside there would never be an end of file. */
  function openStdinReader(path: string): Cell {
    const reader = p.cell('stdin for reading');
    p.call('openat', [AT_FDCWD, p.text(path), flagsOf('O_', OPEN, ['RDONLY', 'CLOEXEC'])], {
      what: 'open stdin',
      result: reader,
    });
    return reader;
  }
}

/** The user of the container as the host has it. */
function hostUser({ process, linux }: Spec): { readonly uid: number; readonly gid: number } {
  const id = (inside: number, mappings: readonly IdMapping[] = [], name: string) => {
    const outside = toHostId(inside, mappings);
    if (outside === undefined)
      throw new HullError(
        `Cannot become ${name} ${inside}: found it in none of the namespace's id mappings`,
        {
          kind: 'invalid',
        },
      );
    return outside;
  };
  return {
    uid: id(process.user.uid, linux.uidMappings, 'user'),
    gid: id(process.user.gid, linux.gidMappings, 'group'),
  };
}
