import type { Phase } from '../../reports/schema.ts';
import type { Ssh, SshAddress } from '../ssh/ssh.ts';

export type { SshAddress };

/**
 * # Hosts
 *
 * A **host** is a machine that scenarios run on. Its definition comes from hosts.yaml; a **provider** makes it real:
 *
 *     prepare   once: build the image, boot, provision, save the template (cached outside the tree, locked)
 *     start     each run: a running host with SSH, from the template, in seconds
 *     dispose   everything `start` made is gone
 *
 * A host can break: kernel panic, hang, QEMU gone, SSH lost. That is the outcome `infra`, never `fail`, and it
 * never hides the results of other hosts: `broken` settles and every wait on the host races it.
 */
export interface HostProvider {
  readonly kind: string;
  prepare(definition: HostDefinition, context: HostContext): Promise<void>;
  start(definition: HostDefinition, context: HostContext): Promise<RunningHost>;
  /** Afterwards nothing is left of runs whose harness died: by owner label, never by guess. Answers what was removed. */
  reap(context: Pick<HostContext, 'cacheDir' | 'progress'>): Promise<readonly string[]>;
}

export interface HostContext {
  /** Guests, kernels and templates that outlive a run. */
  readonly cacheDir: string;
  /** This run's own folder: consoles, overlays, sockets. Removed at the end, except what the report copied. */
  readonly runDir: string;
  /** Owner label of everything made by this run. */
  readonly runId: string;
  readonly signal: AbortSignal;
  readonly progress: (message: string) => void;
}

export interface RunningHost extends AsyncDisposable {
  readonly name: string;
  readonly facts: HostFacts;
  readonly ssh: Ssh;
  /** How a worker process reaches the same host by a connection of its own. */
  readonly sshAddress: SshAddress;
  /** What took how long: `resume`, `boot`, `ssh`, … */
  readonly phases: readonly Phase[];
  /** The serial console's last lines. */
  console(maxBytes?: number): Promise<string>;
  /** Aborted, with a HostBroken as reason, as soon as the host is seen to be broken. */
  readonly broken: AbortSignal;
}

/**
 * A host whose power can be cut. The host is over then: its connection is lost, `broken` stays as it is and disposing it
 * does nothing. What was on its disk is the stopped host's, to be booted (once) or disposed.
 */
export interface PowerSwitch {
  cutPower(): Promise<StoppedHost>;
}

export interface StoppedHost extends AsyncDisposable {
  /** From the same disk, cold: under emulation some 20 to 60 s. */
  boot(): Promise<RunningHost>;
}

export function hasPowerSwitch(host: RunningHost): host is RunningHost & PowerSwitch {
  return 'cutPower' in host;
}

/** A host that takes more disks while it runs. They are gone with the host, and not there after its power was cut. */
export interface DiskBay {
  /** Afterwards the disk is in the host; answers its device there: `/dev/vdb`. */
  plugDisk(disk: SpareDisk): Promise<string>;
}

/** An empty disk of a size, or a copy of a raw image that what the host writes does not reach. */
export type SpareDisk = { readonly sizeBytes: number } | { readonly copyOf: string };

export function hasDiskBay(host: RunningHost): host is RunningHost & DiskBay {
  return 'plugDisk' in host;
}

export class HostBroken extends Error {
  override readonly name = 'HostBroken';
  readonly what: 'panic' | 'hang' | 'boot' | 'ssh-lost' | 'exited' | 'provision';
  readonly consoleTail: string;

  constructor(what: HostBroken['what'], message: string, consoleTail = '', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.what = what;
    this.consoleTail = consoleTail;
  }
}

export interface HostFacts {
  /** `uname -r`. */
  readonly kernel: string;
  /** `Debian GNU/Linux 11 (bullseye)`. */
  readonly distribution: string;
  readonly cgroups: 'v1' | 'v2' | 'hybrid';
  readonly arch: 'x64' | 'arm64';
  /** `kvm` or `tcg` for qemu, with the reason why not kvm; `native` for local. */
  readonly accelerator: string;
  /** What its Node can take up that another Node compiled or kept: version, build of V8, the processor's features. */
  readonly v8: string;
}

/** One entry of hosts.yaml, after validation. */
export interface HostDefinition {
  readonly name: string;
  readonly provider: 'qemu';
  readonly distribution: 'debian';
  /** Debian release name or number: `bullseye`, `11`. */
  readonly release: string;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly diskGiB: number;
  /** Absolute path of a bzImage that is booted instead of the distribution's own kernel. */
  readonly kernel?: string;
  /** Words added to the kernel's command line. */
  readonly kernelArgs: readonly string[];
  /** As `parsePackages` reads them. */
  readonly packages: readonly string[];
  readonly engines: readonly EngineDefinition[];
}

export interface EngineDefinition {
  readonly name: 'hull' | 'docker';
  readonly drivers: readonly DriverDefinition[];
}

export type DataRootFileSystem = 'btrfs' | 'ext4' | 'xfs' | 'zfs';

export interface DriverDefinition {
  readonly name: string;
  /** A required cell that fails, goes missing or is skipped makes the run red. */
  readonly required: boolean;
  /** Only where a selection names the driver. */
  readonly onDemand?: boolean;
  /** The engine's data root is on a file system of this type, in a file on the host's disk. */
  readonly fileSystem?: DataRootFileSystem | undefined;
  /** What the host's image has besides in runs with this driver. Default: none. */
  readonly packages?: readonly string[];
  readonly options: Readonly<Record<string, string>>;
}
