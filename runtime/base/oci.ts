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
  readonly memory?: {
    readonly limit?: number;
    readonly reservation?: number;
    /** Memory plus swap. */
    readonly swap?: number;
    readonly swappiness?: number;
    readonly disableOOMKiller?: boolean;
  };
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly period?: number;
    readonly cpus?: string;
    readonly mems?: string;
  };
  readonly pids?: { readonly limit: number };
}
