import { HullError } from '../base/errors.ts';
import { cloneInto } from './clone-steps.ts';
import { dieWithParent, reportFailures, writeText } from './common-steps.ts';
import { AT_FDCWD, flagsOf, named, OPEN, PRCTL } from './constants.ts';
import { openMonitor, watchContainer } from './monitor-steps.ts';
import { joinNamespace, namespaceFlag, planNamespaces, raiseLoopback } from './namespace-steps.ts';
import { becomeUser, execute, limitResources, ownStandardStreams, readOwnStat } from './process-steps.ts';
import type { Program } from './program.ts';
import { ProgramBuilder } from './program-builder.ts';
import { buildRoot, openHostHandles } from './root-steps.ts';
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
  dieWithParent(p);
  p.call('close', [monitor.alive], { what: 'leave the liveness FIFO to the monitor' });
  p.call('prctl', [named(PRCTL.SET_DUMPABLE, 'PR_SET_DUMPABLE'), 0, 0, 0, 0], {
    what: 'keep others from looking in',
  });
  p.call('setsid', [], { what: 'begin a session' });
  if (request.openStdin) takeStdin(runFiles(request.runDir).stdin);
  p.call('dup3', [monitor.stdout.write, 1, 0], { what: 'take stdout' });
  p.call('dup3', [monitor.stderr.write, 2, 0], { what: 'take stderr' });
  ownStandardStreams(p, spec.process, request.openStdin ? [0, 1, 2] : [1, 2]);

  for (const { type, path } of namespaces.joined) if (type !== 'pid') joinNamespace(p, type, path);
  if (namespaces.isNew('cgroup'))
    p.call('unshare', [namespaceFlag('cgroup')], { what: 'make a cgroup namespace' });
  setNames();
  if (namespaces.isNew('network')) raiseLoopback(p);
  const host = openHostHandles(p, spec.mounts ?? []);
  const stat = readOwnStat(p, host.proc);
  const score = String(spec.process.oomScoreAdj ?? 0);
  writeText(p, host.proc, 'self/oom_score_adj', score, { what: `set oom_score_adj to ${score}` });
  limitResources(p, spec.process);
  buildRoot(p, request, host);
  becomeUser(p, spec.process);
  execute(p, spec.process, stat);

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

  function setNames(): void {
    if (!namespaces.isNew('uts')) return;
    const names = [
      ['sethostname', spec.hostname],
      ['setdomainname', spec.domainname],
    ] as const;
    for (const [call, name] of names)
      if (name !== undefined)
        p.call(call, [p.text(name), Buffer.byteLength(name)], {
          what: `set the ${call.slice(3)} to ${JSON.stringify(name)}`,
        });
  }
}
