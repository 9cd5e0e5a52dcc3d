import type { DataRootFileSystem, HostDefinition, HostFacts } from '../hosts/host.ts';
import type { Allowance, StateFolder } from '../leaks/types.ts';
import type { Ssh } from '../ssh/ssh.ts';

/**
 * # Engines
 *
 * An **engine** is what serves the Docker API on a host. The harness knows it by these verbs only:
 *
 *     build     once per run, before any host is there
 *     install   once per run and host: afterwards the engine's program is on the host (nothing runs)
 *     open      a control of it for one storage driver, with data and exec roots of its own
 *
 * Through the control it is started, stopped and crashed. One engine runs on a host at a time: starting it for one
 * driver stops the one that ran for another.
 */
export interface Engine {
  readonly name: string;
  /** What a host needs for it beyond its definition; part of the image that is booted. */
  readonly needs: HostNeeds;
  /** Its verbs take this many times as long as hull's; so do all time limits on it. */
  readonly patience: number;
  /** What is made on this machine before any host is there; an error here is nobody's host's fault. */
  build(arch: HostFacts['arch']): Promise<void>;
  install(ssh: Ssh, options: EngineInstallOptions): Promise<EngineProgram>;
  /** `ping` settles when the engine answers on its socket now: how it is reached is the caller's matter. */
  open(ssh: Ssh, program: EngineProgram, driver: EngineDriver, ping: () => Promise<void>): EngineControl;
}

export type HostNeeds = Pick<HostDefinition, 'packages' | 'kernelArgs'>;

/** What `install` put on the host, as plain data: the worker of a cell opens the engine with it. */
export interface EngineProgram {
  readonly engine: string;
  /** The file that runs as the daemon's process, as its /proc/<pid>/exe shows it. */
  readonly executable: string;
  /** First words of the daemon's command line in the guest. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

export interface EngineInstallOptions {
  readonly facts: HostFacts;
  /** The host's Node. */
  readonly node: string;
  readonly signal: AbortSignal;
  readonly progress: (message: string) => void;
}

export interface EngineDriver {
  readonly name: string;
  /** What the data root is on, where the host's own file system does not do. */
  readonly fileSystem?: DataRootFileSystem | undefined;
  readonly options: Readonly<Record<string, string>>;
}

/** Everything here states the world: calling a verb twice is as good as once. Errors are SSH errors or EngineError. */
export interface EngineControl {
  readonly name: string;
  readonly driver: string;
  /** Folders and socket in the guest. */
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly socket: string;
  /** The file in the guest that the daemon writes its log to. */
  readonly logFile: string;
  /** The folders of the engine's state, for the leak detector. */
  readonly stateFolders: readonly StateFolder[];
  /** What the engine does to a host by design; no scenario is to blame for it. */
  readonly noise: readonly Allowance[];
  /** Afterwards the daemon runs and has answered a ping. */
  start(options?: EngineStartOptions): Promise<void>;
  /** SIGTERM; afterwards the daemon is gone. Containers may live on (the engine's own choice). */
  stop(): Promise<void>;
  /** SIGKILL of the daemon process alone, never of its containers; afterwards the daemon is gone. `afterMs` waits in the guest. */
  crash(options?: { readonly afterMs?: number }): Promise<void>;
  restart(options?: EngineStartOptions): Promise<void>;
  isRunning(): Promise<boolean>;
  /** The daemon's process id in the guest; an EngineError where it does not run. */
  pid(): Promise<number>;
  /** What the daemon logged since the last `markLog` (bounded to its last MiB). */
  log(): Promise<string>;
  /** From here on `log` answers only what is new. */
  markLog(): void;
  /** Afterwards nothing of the engine is left: daemon, containers, mounts, devices, data root. The last resort of a reset. */
  wipe(): Promise<void>;
}

export interface EngineStartOptions {
  /** Added to the daemon's environment for this one start. */
  readonly environment?: Readonly<Record<string, string>>;
}

export class EngineError extends Error {
  override readonly name = 'EngineError';
  /** The daemon's last words. */
  readonly log: string;

  constructor(message: string, log = '', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.log = log;
  }
}
