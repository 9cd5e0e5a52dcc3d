import type { Seccomp } from './oci-seccomp.ts';

/**
 * The parts of the OCI runtime specification 1.2 (config.md, config-linux.md) that hull reads, under the
 * specification's own names.
 */
export interface Spec {
  readonly ociVersion: string;
  readonly process: Process;
  readonly root: { readonly path: string; readonly readonly?: boolean };
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts?: readonly SpecMount[];
  readonly linux: Linux;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly hooks?: Hooks;
}

export type HookName =
  | 'prestart'
  | 'createRuntime'
  | 'createContainer'
  | 'startContainer'
  | 'poststart'
  | 'poststop';

export type Hooks = { readonly [name in HookName]?: readonly Hook[] };

/** config.md, "POSIX-platform Hooks". */
export interface Hook {
  readonly path: string;
  /** With argv[0]; default: the path alone. */
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

export interface Process {
  readonly terminal?: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly cwd: string;
  /** `NAME=value`. */
  readonly env?: readonly string[];
  readonly args: readonly string[];
  readonly user: User;
  readonly capabilities?: Capabilities;
  readonly rlimits?: readonly { readonly type: string; readonly soft: number; readonly hard: number }[];
  readonly noNewPrivileges?: boolean;
  readonly oomScoreAdj?: number;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly ioPriority?: { readonly class: string; readonly priority?: number };
  readonly scheduler?: Scheduler;
  readonly execCPUAffinity?: { readonly initial?: string; readonly final?: string };
}

/** sched_setattr(2); times in nanoseconds. */
export interface Scheduler {
  /** `SCHED_OTHER`, … */
  readonly policy: string;
  readonly nice?: number;
  readonly priority?: number;
  /** `SCHED_FLAG_RESET_ON_FORK`, … */
  readonly flags?: readonly string[];
  readonly runtime?: number;
  readonly deadline?: number;
  readonly period?: number;
}

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
}

/** Five sets of names such as `CAP_CHOWN`. */
export interface Capabilities {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly permitted?: readonly string[];
  readonly ambient?: readonly string[];
}

export interface SpecMount {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
  /** With the option `idmap` or `ridmap`; the container's own mappings where absent. */
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  /** Of a bind mount, hull's own: the part of the source that is mounted; its links lead inside the source. */
  readonly subpath?: string;
}

export type NamespaceType = 'mount' | 'pid' | 'network' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time';

export interface Linux {
  readonly namespaces: readonly { readonly type: NamespaceType; readonly path?: string }[];
  readonly devices?: readonly Device[];
  readonly cgroupsPath?: string;
  readonly resources?: Resources;
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly rootfsPropagation?: string;
  readonly seccomp?: Seccomp;
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  /** Of a new time namespace: seconds and nanoseconds added to the clocks. */
  readonly timeOffsets?: Readonly<
    Partial<Record<'monotonic' | 'boottime', { readonly secs?: number; readonly nanosecs?: number }>>
  >;
  readonly personality?: { readonly domain: string; readonly flags?: readonly string[] };
  /** SELinux context for mounts. */
  readonly mountLabel?: string;
  readonly intelRdt?: IntelRdt;
}

/** Classes of service of the processor's caches and memory bandwidth. */
export interface IntelRdt {
  readonly closID?: string;
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
  /** Written as it is; one text, or a list of lines (1.3). */
  readonly schemata?: string | readonly string[];
  readonly enableCMT?: boolean;
  readonly enableMBM?: boolean;
}

/** `size` ids from `containerID` on in the namespace are those from `hostID` on outside. */
export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface Device {
  readonly type: 'c' | 'b' | 'u' | 'p';
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** config-linux.md, "Control groups"; bytes, microseconds and counts as there. */
export interface Resources {
  readonly devices?: readonly DeviceRule[];
  readonly memory?: {
    readonly limit?: number;
    readonly reservation?: number;
    /** Memory plus swap. */
    readonly swap?: number;
    /** TCP buffers, v1 only. (`kernel` is read by nobody: the kernel no longer has such a limit.) */
    readonly kernelTCP?: number;
    readonly swappiness?: number;
    readonly disableOOMKiller?: boolean;
    /** Refuse a limit below what is used, where the kernel would kill to reach it. */
    readonly checkBeforeUpdate?: boolean;
  };
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly burst?: number;
    readonly period?: number;
    readonly realtimeRuntime?: number;
    readonly realtimePeriod?: number;
    readonly cpus?: string;
    readonly mems?: string;
    /** 1 makes the group SCHED_IDLE, 0 takes it back. */
    readonly idle?: number;
  };
  readonly pids?: { readonly limit: number };
  readonly blockIO?: {
    /** 10 to 1000. */
    readonly weight?: number;
    readonly leafWeight?: number;
    readonly weightDevice?: readonly WeightDevice[];
    readonly throttleReadBpsDevice?: readonly ThrottleDevice[];
    readonly throttleWriteBpsDevice?: readonly ThrottleDevice[];
    readonly throttleReadIOPSDevice?: readonly ThrottleDevice[];
    readonly throttleWriteIOPSDevice?: readonly ThrottleDevice[];
  };
  /** `pageSize` as `2MB`. */
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
  readonly network?: {
    readonly classID?: number;
    readonly priorities?: readonly { readonly name: string; readonly priority: number }[];
  };
  /** By the device's name, as `mlx5_1`. */
  readonly rdma?: Readonly<Record<string, { readonly hcaHandles?: number; readonly hcaObjects?: number }>>;
  /** v2: file name to content, several lines are several writes. */
  readonly unified?: Readonly<Record<string, string>>;
}

/** The last rule that names a device decides about each kind of access. Absent type: both; absent number: every one. */
export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: 'a' | 'b' | 'c' | 'u' | 'p';
  readonly major?: number;
  readonly minor?: number;
  /** Of `r`, `w` and `m` (mknod); absent: all three. */
  readonly access?: string;
}

export interface WeightDevice {
  readonly major: number;
  readonly minor: number;
  readonly weight?: number;
  readonly leafWeight?: number;
}

/** Bytes or operations a second; 0 takes the limit away. */
export interface ThrottleDevice {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}
