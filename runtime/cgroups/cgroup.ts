import type { Resources } from '../base/oci.ts';
import type { CgroupEntry } from '../launch/types.ts';
import type { Leaving } from './occupants.ts';
import type { MemoryEvents } from './stats/memory-stats.ts';
import type { CgroupStats } from './stats/stats.ts';

export interface BegunCgroup {
  readonly group: Cgroup;
  finish(): Promise<void>;
}

/**
 * # Control groups
 *
 * A container's cgroup is one name in every hierarchy the host has: v1 controllers, v2, or both (hybrid). `create`
 * makes it with its limits before any process is in it; the process enters by itself (`entry`); `remove` waits for
 * the kernel and leaves nothing, nested groups that the container made included.
 *
 * Groups are made from the root of each hierarchy (`/hull/<id>`), never below the daemon's own group: a container
 * outlives the daemon, and an init system that stops the daemon's unit does not reach it.
 *
 * @example
 * const cgroups = await openCgroups();
 * const group = await cgroups.create(`hull/${id}`, spec.linux.resources ?? {});
 * // launch with group.entry …
 * await group.entered();
 * // wait for the exit …
 * const oom = await group.oomKilled();
 * await group.kill(AbortSignal.timeout(10_000));
 * await group.remove();
 */
export interface CgroupManager {
  readonly mode: 'v1' | 'v2' | 'hybrid';
  /** Who makes groups, in Docker's words: hull, or systemd as units. */
  readonly driver: 'cgroupfs' | 'systemd';
  /** What this host can limit, found by looking: for `docker info` and for dropping derived defaults. */
  features(): Promise<CgroupFeatures>;
  /**
   * Afterwards the group exists with these limits, or nothing of it does. Kinds: `unsupported` (a wanted limit whose
   * controller or file is absent, named), `invalid` (a value the kernel refuses, a bad path), `conflict` (processes in
   * it already, or it is frozen).
   */
  create(path: string, resources: Resources): Promise<Cgroup>;
  /**
   * `create` in two parts, for a process that is started meanwhile: when this is kept, the group is there that it is cloned into (version 2); when
   * `finish` is, the others and all limits. Where that fails, what there is of the group is the caller's to remove, once the process has left it. Same kinds.
   */
  begin(path: string, resources: Resources): Promise<BegunCgroup>;
  /**
   * As `create`, but a group that is there stays with what it has, processes included: `found` tells how many. Kind `conflict` only where
   * it is frozen.
   */
  take(path: string, resources: Resources): Promise<{ readonly group: Cgroup; readonly found: number }>;
  /** The handle of a group that may or may not exist. Kind `invalid` for a path that is not one. */
  open(path: string): Cgroup;
  /**
   * The path of a container's group: below `parent`, or where that is empty below the daemon's own, `daemonParent`. Kind `invalid` for a parent that is none.
   */
  pathOf(daemonParent: string, id: string, parent?: string): string;
  /**
   * For a daemon that sits in a v2 group above its containers' (`parent` and all above it), and so is in the way of their limits
   * (no-internal-process rule): moves this process into a leaf there. Undefined where it is in nobody's way.
   */
  leaveParents(parent: string): Leaving | undefined;
  /**
   * Where the kernel's log stands, for `oomKilled` of what runs from now on. Undefined where groups stay until they are removed, so that nobody
   * needs it, and where the log cannot be read.
   */
  logMark(): number | undefined;
  /** Paths of the groups directly below `parent`, a daemon's own, in any hierarchy: what a crash may have left. */
  list(parent: string): Promise<readonly string[]>;
}

/** What tells the traces of a run from those of an earlier one of the same name. */
export interface RunMark {
  /** What `logMark` answered before it; undefined where nobody asked. */
  readonly at: number | undefined;
  /** Its first process. */
  readonly pid: number;
}

/** Each false comes from a missing controller or file. */
export interface CgroupFeatures {
  readonly memoryLimit: boolean;
  /** Memory plus swap (v1 memsw, v2 memory.swap.max); off where the kernel was built or booted without swap accounting. */
  readonly swapLimit: boolean;
  readonly memoryReservation: boolean;
  /** v1 only. */
  readonly swappiness: boolean;
  /** v1 only. */
  readonly oomKillDisable: boolean;
  readonly cpuShares: boolean;
  readonly cpuQuota: boolean;
  readonly cpuset: boolean;
  readonly pidsLimit: boolean;
  /** Needs a disk scheduler with weights, or v2's cost model. */
  readonly blkioWeight: boolean;
  readonly blkioThrottle: boolean;
  readonly cpuRealtime: boolean;
  readonly freezer: boolean;
}

export interface Cgroup {
  /** As `hull/<container id>`, the same below every hierarchy's root. */
  readonly path: string;
  readonly entry: CgroupEntry;
  /** To be called when the first process is in it: what may have kept the group for it until then goes. */
  entered(): Promise<void>;
  exists(): Promise<boolean>;
  /** Of this group and all below it, each once, in every hierarchy. */
  pids(): Promise<readonly number[]>;
  /** Kinds as `create`. Limits that `resources` leaves out stay as they are. */
  update(resources: Resources): Promise<void>;
  /**
   * Kills every process in it and below (cgroup.kill, or freeze-signal-thaw until empty) and waits until they are gone.
   * A frozen group is thawed. Kind `busy` names the processes left when `signal` ends the wait.
   */
  kill(signal: AbortSignal): Promise<void>;
  /** Afterwards no process in it runs. Kind `unsupported` without a freezer; kind `busy` (and thawed again) when it does not settle. */
  freeze(): Promise<void>;
  /** Afterwards nothing in it or below is frozen. */
  thaw(): Promise<void>;
  frozen(): Promise<boolean>;
  /** Whether the kernel's OOM killer struck in it or below. Ask before `remove`; systemd may have removed it already, and `run` says what to look for then. */
  oomKilled(run?: RunMark): Promise<boolean>;
  /** What it has used. Parts that nobody counts are absent; all are where it is gone. Never throws for a missing file. */
  stats(): Promise<CgroupStats>;
  /** Counts of memory events each time they have changed, until it is gone or `signal` ends it. Kind `unsupported` without the controller. */
  memoryEvents(signal: AbortSignal): AsyncIterable<MemoryEvents>;
  /** Afterwards it is absent in every hierarchy, and so is its parent where that is empty. Kind `busy` names the processes in it. */
  remove(): Promise<void>;
  /** As `remove`, but tries it once: false where something is in it, whose group stays. */
  removeEmpty(): Promise<boolean>;
}
