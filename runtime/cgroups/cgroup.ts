import type { Resources } from '../base/oci.ts';
import type { CgroupEntry } from '../launch/types.ts';

/**
 * # Control groups
 *
 * A container's cgroup is one name in every hierarchy the host has: v1 controllers, v2, or both (hybrid). `create`
 * makes it with its limits before any process is in it; the process enters by itself (`entry`); `remove` waits for
 * the kernel and leaves nothing, nested groups that the container made included.
 */
export interface CgroupManager {
  readonly mode: 'v1' | 'v2' | 'hybrid';
  /** Afterwards the group exists with these limits. A limit whose controller is absent is an error of kind `unsupported` naming it. */
  create(path: string, resources: Resources): Promise<Cgroup>;
  /** The handle of a group that may or may not exist. */
  open(path: string): Cgroup;
  /** Paths of all groups below `parent` in any hierarchy: what a crash may have left. */
  list(parent: string): Promise<readonly string[]>;
}

export interface Cgroup {
  /** As `hull/<container id>`, the same below every hierarchy's root. */
  readonly path: string;
  readonly entry: CgroupEntry;
  exists(): Promise<boolean>;
  /** Of this group and all below it. */
  pids(): Promise<readonly number[]>;
  update(resources: Resources): Promise<void>;
  /** Kills every process in it and below (cgroup.kill, or freeze-signal-thaw until empty) and waits until they are gone. */
  kill(signal: AbortSignal): Promise<void>;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Whether the kernel's OOM killer struck in it. */
  oomKilled(): Promise<boolean>;
  /** Afterwards it is absent in every hierarchy. Kind `busy` names the processes in it. */
  remove(): Promise<void>;
}
