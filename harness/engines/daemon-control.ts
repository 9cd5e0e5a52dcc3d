import type { DataRootFileSystem } from '../hosts/host.ts';
import type { Allowance, StateFolder } from '../leaks/types.ts';
import type { Ssh, SshProcess } from '../ssh/ssh.ts';
import { daemonScript } from './daemon-script.ts';
import { dataRootScript } from './data-root-script.ts';
import { type EngineControl, EngineError, type EngineStartOptions } from './engine.ts';
import { wipeScript } from './wipe-script.ts';

export interface DaemonDefinition {
  readonly name: string;
  readonly driver: string;
  /** The whole command line of the daemon. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Of the data root; undefined: that of the folder where it is. */
  readonly fileSystem?: DataRootFileSystem | undefined;
  /** The file that runs (node, dockerd): a process id is only believed where /proc/<pid>/exe is this file. */
  readonly executable: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly socket: string;
  readonly logFile: string;
  readonly stateFolders: readonly StateFolder[];
  readonly noise: readonly Allowance[];
  /** Name of the cgroup that all containers are below. */
  readonly cgroup: string;
  /** Of all engines that take turns: a start stops the others in it. Default: the host's. */
  readonly pidFolder?: string;
  /** How long a start may take. Emulated guests are slow. */
  readonly startMs: number;
}

const pidFolderOfHost = '/run/seatrial/engines';

const stopMs = 30_000;
/** With the installation of what makes the file system. */
const fileSystemMs = 180_000;
const logLimit = 1024 * 1024;
/** Without a word in the log the daemon is asked this often. */
const silenceMs = 500;

/** Any daemon that is one process with a pid file of ours, started by setsid so that no SSH session owns it. */
export class DaemonControl implements EngineControl {
  readonly #ssh: Ssh;
  readonly #daemon: DaemonDefinition;
  readonly #ping: () => Promise<void>;
  readonly #pidFile: string;
  readonly #logged = new Bell();
  #logMark = 0;
  #logSize = 0;
  #logFollower: Promise<SshProcess> | undefined;

  /** @param ping settles when the daemon answers on its socket now, rejects when it does not. */
  constructor(ssh: Ssh, daemon: DaemonDefinition, ping: () => Promise<void>) {
    this.#ssh = ssh;
    this.#daemon = daemon;
    this.#ping = ping;
    this.#pidFile = `${daemon.pidFolder ?? pidFolderOfHost}/${daemon.name}-${daemon.driver}.pid`;
  }

  get name(): string {
    return this.#daemon.name;
  }
  get driver(): string {
    return this.#daemon.driver;
  }
  get dataRoot(): string {
    return this.#daemon.dataRoot;
  }
  get execRoot(): string {
    return this.#daemon.execRoot;
  }
  get socket(): string {
    return this.#daemon.socket;
  }
  get logFile(): string {
    return this.#daemon.logFile;
  }
  get stateFolders(): readonly StateFolder[] {
    return this.#daemon.stateFolders;
  }
  get noise(): readonly Allowance[] {
    return this.#daemon.noise;
  }

  async start(options: EngineStartOptions = {}): Promise<void> {
    const { argv, dataRoot, execRoot, logFile, fileSystem } = this.#daemon;
    if (fileSystem !== undefined) await this.#mountDataRoot(fileSystem);
    const environment = Object.entries({ ...this.#daemon.environment, ...options.environment }).map(
      ([key, value]) => `${key}=${value}`,
    );
    await this.#script('start', [dataRoot, execRoot, logFile, 'env', ...environment, ...argv]);
    this.#logFollower ??= this.#followLog();
    await this.#logFollower;
    await this.#waitForPing();
  }

  async stop(): Promise<void> {
    await this.#script('end', ['TERM', '0', String(stopMs / 1000)]);
  }

  async crash({ afterMs = 0 }: { readonly afterMs?: number } = {}): Promise<void> {
    await this.#script('end', ['KILL', String(afterMs / 1000), '10']);
  }

  async restart(options: EngineStartOptions = {}): Promise<void> {
    await this.stop();
    await this.start(options);
  }

  async isRunning(): Promise<boolean> {
    return (await this.#script('pid')) !== '';
  }

  async pid(): Promise<number> {
    const text = await this.#script('pid');
    if (text === '')
      throw new EngineError(
        `Cannot tell the process id of ${this.#title}: it does not run`,
        await this.log(),
      );
    return Number(text);
  }

  async log(): Promise<string> {
    const from = Math.max(this.#logMark, this.#logSize - logLimit);
    const { stdout } = await this.#ssh.run(['tail', '-c', `+${from + 1}`, this.#daemon.logFile]);
    return stdout.slice(-logLimit);
  }

  markLog(): void {
    this.#logMark = this.#logSize;
  }

  async wipe(): Promise<void> {
    await this.crash();
    const { dataRoot, execRoot, cgroup } = this.#daemon;
    const argv = ['sh', '-c', wipeScript, 'wipe', dataRoot, execRoot, cgroup];
    const result = await this.#ssh.run(argv, { timeoutMs: 60_000 });
    if (result.exitCode !== 0) {
      throw new EngineError(
        `Cannot wipe ${this.#title}: ${(result.stdout + result.stderr).trim().slice(-2000)}`,
      );
    }
  }

  async #mountDataRoot(fileSystem: string): Promise<void> {
    const argv = ['sh', '-c', dataRootScript, 'data-root', this.#daemon.dataRoot, fileSystem];
    const result = await this.#ssh.run(argv, { timeoutMs: fileSystemMs });
    if (result.exitCode === 0) return;
    throw new EngineError(
      `Cannot put the data root of ${this.#title} on ${fileSystem}: ${result.stderr.trim().slice(-1000)}`,
    );
  }

  get #title(): string {
    return `${this.#daemon.name} with driver ${this.#daemon.driver}`;
  }

  async #script(verb: 'start' | 'end' | 'pid', args: readonly string[] = []): Promise<string> {
    const argv = ['sh', '-c', daemonScript, verb, this.#pidFile, this.#daemon.executable, ...args];
    const result = await this.#ssh.run(argv, { timeoutMs: stopMs + 15_000 });
    if (result.exitCode === 0) return result.stdout.trim();
    const why = result.timedOut
      ? 'no end in time'
      : (result.stderr || result.stdout).trim() || `exit status ${result.exitCode}`;
    throw new EngineError(`Cannot ${verb} ${this.#title}: ${why}`, await this.log());
  }

  /** A ping costs an emulated guest as much as a tenth of the whole start, so it is sent when the log says that something happened. */
  async #waitForPing(): Promise<void> {
    const deadline = Date.now() + this.#daemon.startMs;
    for (let attempt = 1; ; attempt += 1) {
      const error = await this.#ping().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error === undefined) return;
      if (this.#ssh.lost.aborted) throw this.#ssh.lost.reason;
      if (attempt % 4 === 0 && !(await this.isRunning())) {
        const log = await this.log();
        throw new EngineError(
          `Cannot start ${this.#title}: the daemon ended. Its last words: ${log.trim().slice(-1500)}`,
          log,
        );
      }
      if (Date.now() > deadline) {
        const log = await this.log();
        const why = error instanceof Error ? error.message : String(error);
        throw new EngineError(
          `Cannot start ${this.#title}: no answer on ${this.socket} within ${this.#daemon.startMs / 1000} s (${why})`,
          log,
        );
      }
      await this.#logged.wait(silenceMs);
    }
  }

  /** Counts the log's bytes as they come, so that a scenario's share of it is known without asking the host. */
  async #followLog(): Promise<SshProcess> {
    const follower = await this.#ssh.spawn(['tail', '-c', '+1', '-F', this.#daemon.logFile]);
    follower.stdio.on('data', (chunk: Buffer) => {
      this.#logSize += chunk.length;
      this.#logged.notify();
    });
    follower.stdio.on('error', () => {});
    follower.stderr.resume();
    return follower;
  }
}

/** Something that happens now and then, and can be waited for. */
class Bell {
  #ring = Promise.withResolvers<void>();

  notify(): void {
    this.#ring.resolve();
    this.#ring = Promise.withResolvers<void>();
  }

  /** Until the next notify, or until `ms` have passed. */
  async wait(ms: number): Promise<void> {
    const { promise } = this.#ring;
    const timer = setTimeout(() => this.notify(), ms);
    await promise;
    clearTimeout(timer);
  }
}
