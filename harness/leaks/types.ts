/**
 * # Leaks
 *
 * A **snapshot** is what a host held at one moment, seen by an agent that stays in the host for a whole cell. A
 * **difference** is one thing that is there now and was not then, is gone, or has changed. A difference that
 * remains after the engine had its time (network namespaces and cgroups are torn down asynchronously) is a leak.
 *
 * Things are compared by what they are, not by their numbers: a daemon that was restarted under the same
 * command line, with a new pid and new namespaces, is no difference.
 *
 * @example
 * await using leaks = await connectLeakDetector(ssh, { stateFolders: [{ path: '/var/lib/hull' }] });
 * const before = await leaks.snapshot();
 * …
 * const differences = await leaks.diff(before, { deadlineMs: 10_000 });
 */
export interface LeakDetector extends AsyncDisposable {
  /** Looks at the host and keeps what it sees in the guest. Some 100 ms in an emulated guest. */
  snapshot(): Promise<Snapshot>;
  /** Looks again until nothing differs or the deadline has passed, and answers what still differs, with owners. */
  diff(since: Snapshot, options?: DiffOptions): Promise<readonly Difference[]>;
  /** What the last snapshot or comparison saw: where nobody touched the host since, a new snapshot would be the same. */
  readonly last: Snapshot | undefined;
  /** Who keeps a path, mount point or block device busy: `pid 123 (sleep) in mnt:[4026532]: cwd /mnt/x`. */
  holders(pathOrDevice: string): Promise<readonly string[]>;
  /** Evidence: the mount table of every distinct mount namespace, each under a line that names it and a process in it. */
  mountinfo(): Promise<string>;
  /** What could not be looked at here, with the reason: `nft: command not found`. Known after the first snapshot. */
  readonly notLookedAt: readonly string[];
}

export interface Snapshot {
  readonly id: number;
  /** Time the look took inside the guest. */
  readonly durationMs: number;
}

export interface DiffOptions {
  /** How long differences may take to go away by themselves. Default 10000. 0 looks once. */
  readonly deadlineMs?: number;
  /** Added to the detector's own, for this comparison only. */
  readonly ignore?: readonly Allowance[];
}

export const leakKinds = [
  'mount',
  'dm',
  'loop',
  'zfs',
  'cgroup',
  'frozen-cgroup',
  'link',
  'nft',
  'namespace',
  'process',
  'file',
  'socket',
  'sysctl',
  'kernel-log',
] as const;
export type LeakKind = (typeof leakKinds)[number];

export interface Difference {
  readonly kind: LeakKind;
  /** One line that names the thing: `overlay at /var/lib/x/merged (rw,relatime; private)`. */
  readonly what: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** Who holds it: `pid 123 (sleep) in mnt:[4026532]`. */
  readonly owner?: string;
}

/** A difference that may be: the kind, a pattern on `what` (source of a RegExp), and the reason, which is for the reader. */
export interface Allowance {
  readonly kind: LeakKind;
  readonly what: string;
  readonly because: string;
}

/** A folder in which the engine keeps its state. Patterns are sources of RegExps on the path relative to it, without a leading slash. */
export interface StateFolder {
  readonly path: string;
  /** Folders that are compared by their presence only; nothing below them is looked at: the content of layers. */
  readonly opaque?: readonly string[];
  /** Paths that are not looked at. */
  readonly ignore?: readonly string[];
}

export interface LeakDetectorOptions {
  readonly stateFolders: readonly StateFolder[];
  readonly ignore?: readonly Allowance[];
  /** The host's Node 24. Default `/opt/seatrial/bin/node`. */
  readonly node?: string;
  /** Where the agent is written to in the host. Default `/opt/seatrial/leak-agent.mjs`. */
  readonly agentPath?: string;
}
