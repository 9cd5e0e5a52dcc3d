import type { Spec } from '../base/oci.ts';
import type { MountSpec } from '../kernel/mount-spec.ts';

/** Everything a container's start is compiled from. Pure data: the same request gives the same program. */
export interface LaunchRequest {
  readonly id: string;
  readonly spec: Spec;
  /** From the storage driver's `acquire`; performed in the container's own mount namespace. */
  readonly rootMounts: readonly MountSpec[];
  /** Held (flock, exclusive) by the monitor and the container's first process as long as the root can be mounted. */
  readonly rootLockPath: string;
  readonly cgroup: CgroupEntry;
  /** Folder of this container below the daemon's exec root (tmpfs): liveness FIFO `alive`, `exit.json`, stdin FIFO, control FIFO. */
  readonly runDir: string;
  /** The log's frames are appended here. */
  readonly logPath: string;
  readonly openStdin: boolean;
}

/** How a process enters its cgroup by itself. */
export interface CgroupEntry {
  /** v1 `cgroup.procs` files; the process writes `0` to each. */
  readonly v1Procs: readonly string[];
  /** v2 folder, entered with CLONE_INTO_CGROUP, or by writing `0` to its cgroup.procs where clone3 lacks it. */
  readonly v2Dir?: string;
}

export interface LaunchedProcess {
  /** Of the container's first process, in the daemon's pid namespace. */
  readonly pid: number;
  readonly monitorPid: number;
  /** Field 22 of /proc/<pid>/stat: tells the process from a later one with the same number. */
  readonly startTicks: string;
}

/** Written by the monitor: exit.json. */
export interface ExitRecord {
  /** 0–255; 128+n for signal n. */
  readonly exitCode: number;
  readonly signal?: number;
  /** ISO 8601. */
  readonly exitedAt: string;
  readonly bootId: string;
  readonly oomKilled?: boolean;
}

export interface LaunchStep {
  readonly index: number;
  readonly total: number;
  /** `mount "proc" at "/proc"`. */
  readonly what: string;
  readonly syscall: string;
  readonly args: readonly string[];
}
