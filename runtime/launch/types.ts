import type { Readable, Writable } from 'node:stream';
import type { Process, Spec } from '../base/oci.ts';
import type { Seccomp } from '../base/oci-seccomp.ts';
import type { MountSpec } from '../kernel/mount-spec.ts';
import type { WindowSize } from './window-size.ts';

/** Everything a container's start is compiled from. Pure data: the same request gives the same program. */
export interface LaunchRequest {
  readonly id: string;
  readonly spec: Spec;
  /** From the storage driver's `acquire`; performed in the container's own mount namespace. */
  readonly rootMounts: readonly MountSpec[];
  /** The root is moved over the host's instead of pivot_root(2), which an initramfs does not allow. */
  readonly noPivot?: boolean;
  /**
   * Held (flock, exclusive) by the monitor as long as the container lives; free again when it has left. A monitor
   * that is killed takes the container's first process with it (PDEATHSIG).
   */
  readonly rootLockPath: string;
  readonly cgroup: CgroupEntry;
  /**
   * Existing folder of this container below the daemon's exec root (tmpfs). The monitor makes in it the FIFOs `alive`,
   * `control` and (openStdin) `stdin`, its pid `monitor`, and the exit record `exit`. What an earlier start left there is replaced.
   */
  readonly runDir: string;
  /** The log's frames are appended here. */
  readonly logPath: string;
  readonly openStdin: boolean;
}

/** How a process enters its cgroup by itself. */
export interface CgroupEntry {
  /** v1 `cgroup.procs` files; the process writes `0` to each, or to the `tasks` beside it. */
  readonly v1Procs: readonly string[];
  /** v2 folder, entered with CLONE_INTO_CGROUP, or by writing `0` to its cgroup.procs where clone3 lacks it. */
  readonly v2Dir?: string;
  /**
   * The groups of version 1 are made while the program runs: its first process enters them when it reads a byte from this descriptor, and ends
   * where there comes none.
   */
  readonly readyDescriptor?: number;
  /** `tasks` files of resctrl, entered as those of version 1. */
  readonly resctrl?: readonly string[];
  /** The group's path below every hierarchy's root; for a mount of type cgroup on a host with version 1. */
  readonly path?: string;
}

export interface LaunchedProcess {
  /** Of the container's first process, in the daemon's pid namespace. */
  readonly pid: number;
  readonly monitorPid: number;
  /** Field 22 of /proc/<pid>/stat: tells the process from a later one with the same number. */
  readonly startTicks: string;
}

/** Written by the monitor (file `exit` in the run folder, see exit-record.ts). */
export interface ExitRecord {
  /** 0–255; 128+n for signal n. */
  readonly exitCode: number;
  readonly signal?: number;
  /** Log frames that could not be written (full disk). */
  readonly droppedFrames: number;
  /** ISO 8601. */
  readonly exitedAt: string;
  readonly bootId: string;
}

export interface LaunchStep {
  readonly index: number;
  readonly total: number;
  /** `mount "proc" at "/proc"`. */
  readonly what: string;
  readonly syscall: string;
  readonly args: readonly string[];
}

/** A command inside a running container. */
export interface ExecRequest {
  /** The container's first process; a process that took over its number is never entered. */
  readonly target: { readonly pid: number; readonly startTicks: string };
  readonly cgroup: CgroupEntry;
  readonly process: Process;
  /** The container's own policy, as a rule. */
  readonly seccomp?: Seccomp;
  readonly openStdin: boolean;
}

/** Its three streams belong to the caller: destroy what is not read. The command dies with the daemon. */
export interface LaunchedExec {
  readonly pid: number;
  readonly startTicks: string;
  /** There when `openStdin` was asked for; `end()` is seen by the command as end of file. */
  readonly stdin?: Writable;
  readonly stdout: Readable;
  /** Empty with a terminal, which shows both. */
  readonly stderr: Readable;
  /** There with a terminal. */
  readonly resize?: (size: WindowSize) => void;
  /** Never rejects. 128+n for signal n. */
  readonly exited: Promise<{ readonly exitCode: number; readonly signal?: number }>;
}

/** One piece of the container's output, as the monitor read it (not cut at line ends). */
export interface LogFrame {
  readonly stream: 'stdout' | 'stderr';
  /** Nanoseconds since 1970, UTC. */
  readonly time: bigint;
  readonly data: Buffer;
}
