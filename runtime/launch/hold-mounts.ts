import type { SpecMount } from '../base/oci.ts';
import type { MountSpec } from '../kernel/mount-spec.ts';
import { begin, dieWithParent, holdLock, reportFailures } from './common-steps.ts';
import { type HeldRoot, holdUntilReleased, startHolder } from './holder.ts';
import { openHostHandles } from './host-handles.ts';
import { LinkedTargets } from './linked-target-steps.ts';
import { newMountNamespace, stagedRoot, stageRoot } from './mount-steps.ts';
import type { Program } from './program.ts';
import { ProgramBuilder } from './program-builder.ts';
import { recordDescriptor } from './records.ts';
import { specMount } from './spec-mount-steps.ts';

export interface HoldOptions {
  /** Lock file (made where absent) that the helper holds exclusively; `EAGAIN` where another has it. */
  readonly lockPath?: string;
  /** Bind mounts inside the tree, at their destinations as a process of the tree would find them; missing mount points are made. */
  readonly inside?: readonly SpecMount[];
}

/**
 * Performs the mounts in a mount namespace of a helper process and keeps them until disposed, or until this
 * process dies. LaunchError names the step that failed.
 *
 * @example
 * await using root = await holdMounts(layer.mounts, { lockPath: layer.lockPath });
 * await writeFile(join(root.path, 'hello'), 'world');
 */
export async function holdMounts(mounts: readonly MountSpec[], options: HoldOptions = {}): Promise<HeldRoot> {
  return await startHolder(compileHolder(mounts, options));
}

export function compileHolder(
  mounts: readonly MountSpec[],
  { lockPath, inside = [] }: HoldOptions = {},
): Program {
  const p = new ProgramBuilder();
  reportFailures(p, 'holder');
  begin(p, 'hull-hold', recordDescriptor + 1);
  dieWithParent(p);
  if (lockPath !== undefined) holdLock(p, lockPath);
  p.call('unshare', [newMountNamespace], { what: 'make a mount namespace' });
  const host = inside.length > 0 ? openHostHandles(p, asRequest(inside), { user: undefined }) : undefined;
  stageRoot(p, mounts);
  if (host) {
    p.call('chroot', [p.text(stagedRoot)], { what: 'confine paths to the root' });
    p.call('fchdir', [host.descriptors], { what: 'enter /proc/self/fd of the host' });
    const linked = new LinkedTargets(p);
    for (const mount of inside) specMount(p, mount, host, linked);
    linked.place();
  }
  p.call('chdir', [p.text(host ? '/' : stagedRoot)], { what: 'enter the mounted root' });
  holdUntilReleased(p);
  return p.build();
}

/** As much of a request as bind mounts need. */
const asRequest = (mounts: readonly SpecMount[]) => ({
  spec: { mounts, linux: { namespaces: [] } },
  cgroup: { v1Procs: [] },
});
