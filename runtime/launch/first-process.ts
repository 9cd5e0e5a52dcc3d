import { HullError } from '../base/errors.ts';
import type { Spec } from '../base/oci.ts';
import { seccompFilter } from '../kernel/seccomp-filter.ts';
import { checkSysctls } from './check-sysctls.ts';
import { dieWithParent, writeText } from './common-steps.ts';
import { named, PRCTL } from './constants.ts';
import { openHostHandles } from './host-handles.ts';
import { joinNamespace, type NamespacePlan, namespaceFlag, raiseLoopback } from './namespace-steps.ts';
import type { OutsideHandles } from './outside-handles.ts';
import { refuseUnsupported, setLabels, setPersonality, setScheduling } from './process-attributes-steps.ts';
import { execute, limitResources, readOwnStat } from './process-steps.ts';
import type { ProgramBuilder } from './program-builder.ts';
import type { RootRequest } from './root-change-steps.ts';
import { buildRoot } from './root-steps.ts';
import { becomeUser } from './user-steps.ts';

/** Where the two kinds of a container's first process differ: the one below a monitor, and the detached one (`hull oci`). */
export interface FirstProcessForm {
  /** The process is killed when its parent ends. */
  readonly diesWithParent: boolean;
  /** Sets up descriptors 0, 1 and 2; the session is there. */
  takeStreams(): void;
  /** Set when the specification says nothing; undefined leaves the caller's. */
  readonly defaultOomScoreAdj?: number;
  /** Confined to the root, its mounts and devices made. */
  inRoot?(): void;
  /** After that, the host's tree in sight, and the root with its mounts at its place in it. */
  hooks?(): void;
  /** The supplementary groups stay the caller's. */
  readonly keepsGroups?: boolean;
  /** From `cloneContainer`. */
  readonly outside?: OutsideHandles | undefined;
  /** Right before execve, as the user: the daemon knows of the start, and further failures go where this says. */
  beforeExecute?(): void;
  /** After that, with the seccomp filter loaded. */
  afterFilter?(): void;
  /** Pipe on which we are told that the seccomp listener is in good hands. */
  readonly listenerTold?: number;
}

/** From right after the clone, in its cgroups, to execve. */
export function becomeContainer(
  p: ProgramBuilder,
  request: RootRequest,
  namespaces: NamespacePlan,
  form: FirstProcessForm,
): void {
  const { spec } = request;
  refuseUnsupported(spec, request.cgroup);
  checkSysctls(spec);
  if (form.diesWithParent) dieWithParent(p);
  p.call('prctl', [named(PRCTL.SET_DUMPABLE, 'PR_SET_DUMPABLE'), 0, 0, 0, 0], {
    what: 'keep others from looking in',
  });
  p.call('setsid', [], { what: 'begin a session' });
  form.takeStreams();
  if (!namespaces.needsHelper)
    for (const { type, path } of namespaces.joined)
      if (type !== 'pid' && type !== 'mount') joinNamespace(p, type, path);
  if (namespaces.isNew('cgroup'))
    p.call('unshare', [namespaceFlag('cgroup')], { what: 'make a cgroup namespace' });
  setNames(p, spec);
  if (namespaces.isNew('network')) raiseLoopback(p);
  // Behind all others, whose files it may not show; and before any path of the host that the root is made of.
  for (const { type, path } of namespaces.joined) if (type === 'mount') joinNamespace(p, type, path);
  const host = openHostHandles(p, request, namespaces, form.outside);
  const stat = readOwnStat(p, host.proc);
  const score = spec.process.oomScoreAdj ?? form.defaultOomScoreAdj;
  if (score !== undefined && !namespaces.needsHelper)
    writeText(p, host.proc, 'self/oom_score_adj', String(score), { what: `set oom_score_adj to ${score}` });
  buildRoot(p, request, host, {
    ownMounts: namespaces.isNew('mount'),
    inRoot: form.inRoot && (() => form.inRoot?.()),
    hooks: form.hooks && (() => form.hooks?.()),
  });
  // Not earlier: few descriptors may be allowed.
  limitResources(p, spec.process);
  setScheduling(p, spec.process);
  setPersonality(p, spec);
  setLabels(p, spec.process, host.proc);
  const seccomp = spec.linux.seccomp && seccompFilter(spec.linux.seccomp);
  becomeUser(p, spec.process, {
    loadsFilter: seccomp !== undefined,
    diesWithParent: form.diesWithParent,
    ownUserNamespace: namespaces.user !== undefined || request.inUserNamespace === true,
    keepsGroups: form.keepsGroups ?? false,
  });
  execute(p, spec.process, stat, {
    seccomp,
    beforeExecute: form.beforeExecute && (() => form.beforeExecute?.()),
    afterFilter: form.afterFilter && (() => form.afterFilter?.()),
    listenerTold: form.listenerTold,
  });
}

function setNames(p: ProgramBuilder, spec: Spec): void {
  const own = spec.linux.namespaces.some(({ type }) => type === 'uts');
  const names = [
    ['sethostname', spec.hostname],
    ['setdomainname', spec.domainname],
  ] as const;
  for (const [call, name] of names)
    if (name) {
      if (!own)
        throw new HullError(
          `Cannot set the ${call.slice(3)}: the container has no uts namespace of its own`,
          {
            kind: 'invalid',
          },
        );
      p.call(call, [p.text(name), Buffer.byteLength(name)], {
        what: `set the ${call.slice(3)} to ${JSON.stringify(name)}`,
      });
    }
}
