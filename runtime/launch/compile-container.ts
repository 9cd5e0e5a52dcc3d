import { HullError } from '../base/errors.ts';
import { cloneInto } from './clone-steps.ts';
import { reportFailures } from './common-steps.ts';
import { AT_FDCWD, flagsOf, OPEN } from './constants.ts';
import { becomeContainer } from './first-process.ts';
import { openMonitor, watchContainer } from './monitor-steps.ts';
import { joinNamespace, planNamespaces } from './namespace-steps.ts';
import { ownStandardStreams } from './process-steps.ts';
import type { Program } from './program.ts';
import { ProgramBuilder } from './program-builder.ts';
import { runFiles } from './run-dir.ts';
import type { LaunchRequest } from './types.ts';

/** The program that is a container's monitor and, after its clone, the container's first process. Pure. */
export function compileContainer(request: LaunchRequest): Program {
  const { spec } = request;
  if (spec.process.terminal)
    throw new HullError(`Cannot start ${request.id} with a terminal: hull cannot do that yet`, {
      kind: 'unsupported',
    });
  const namespaces = planNamespaces(spec);
  const p = new ProgramBuilder();
  reportFailures(p, 'monitor');
  const monitor = openMonitor(p, request);
  for (const { type, path } of namespaces.joined) if (type === 'pid') joinNamespace(p, type, path);
  const pid = p.cell('pid');
  const parent = p.label('monitor');
  cloneInto(p, request.cgroup, namespaces.cloneFlags, pid, parent);
  reportFailures(p, 'container');
  becomeContainer(p, request, namespaces, {
    diesWithParent: true,
    // The monitor's own is -999.
    defaultOomScoreAdj: 0,
    takeStreams() {
      p.call('close', [monitor.alive], { what: 'leave the liveness FIFO to the monitor' });
      if (request.openStdin) takeStdin(runFiles(request.runDir).stdin);
      p.call('dup3', [monitor.stdout.write, 1, 0], { what: 'take stdout' });
      p.call('dup3', [monitor.stderr.write, 2, 0], { what: 'take stderr' });
      ownStandardStreams(p, spec.process, request.openStdin ? [0, 1, 2] : [1, 2]);
    },
  });

  p.place(parent);
  watchContainer(p, request, monitor, pid);
  return p.build();

  /** For reading only: the monitor's descriptor writes as well, and with it inside there would never be an end of file. */
  function takeStdin(path: string): void {
    const stdin = p.cell('stdin for reading');
    p.call('openat', [AT_FDCWD, p.text(path), flagsOf('O_', OPEN, ['RDONLY', 'CLOEXEC'])], {
      what: 'open stdin',
      result: stdin,
    });
    p.call('dup3', [stdin, 0, 0], { what: 'take stdin' });
  }
}
