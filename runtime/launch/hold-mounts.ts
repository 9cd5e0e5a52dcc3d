import { closeSync } from 'node:fs';
import type { SpecMount } from '../base/oci.ts';
import type { MountSpec } from '../kernel/mount-spec.ts';
import { createPipe } from '../sys/process.ts';
import { begin, dieWithParent, holdLock, report, reportFailures } from './common-steps.ts';
import { openHostHandles } from './host-handles.ts';
import { newMountNamespace, stagedRoot, stageRoot } from './mount-steps.ts';
import type { Program } from './program.ts';
import { address, ProgramBuilder } from './program-builder.ts';
import { recordDescriptor } from './records.ts';
import { reap, startProgram } from './spawn.ts';
import { specMount } from './spec-mount-steps.ts';

/** A tree that only a helper process has mounted; disposing ends the helper and waits until the mounts are gone. */
export interface HeldRoot extends AsyncDisposable {
  /**
   * `/proc/<pid>/cwd`: a magic link into the helper's namespace, good for plain file calls while held. Do not
   * resolve it (realpath), and mind that absolute links inside the tree lead out of it.
   */
  readonly path: string;
  /** Of the helper. */
  readonly pid: number;
}

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
  const program = compileHolder(mounts, options);
  const lifeline = createPipe();
  try {
    const { pid } = await startProgram(program, {
      name: 'hull-hold',
      wanted: 'ready',
      descriptors: new Map([[0, lifeline.read]]),
    });
    let released: Promise<unknown> | undefined;
    const release = () => {
      closeSync(lifeline.write);
      return reap(pid);
    };
    return {
      path: `/proc/${pid}/cwd`,
      pid,
      async [Symbol.asyncDispose]() {
        released ??= release();
        await released;
      },
    };
  } catch (error) {
    closeSync(lifeline.write);
    throw error;
  } finally {
    closeSync(lifeline.read);
  }
}

/** The helper's program: its standard input is the pipe that ends it. */
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
    for (const mount of inside) specMount(p, mount, host);
  }
  p.call('chdir', [p.text(host ? '/' : stagedRoot)], { what: 'enter the mounted root' });
  report(p, 'ready');
  p.call('close', [recordDescriptor]);
  p.call('read', [0, address(p.buffer('lifeline', 8)), 1], { what: 'wait for the daemon', errors: 'next' });
  p.call('exit_group', [0]);
  return p.build();
}

/** As much of a request as bind mounts need. */
const asRequest = (mounts: readonly SpecMount[]) => ({
  spec: { mounts, linux: { namespaces: [] } },
  cgroup: { v1Procs: [] },
});
