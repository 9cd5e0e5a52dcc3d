import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, realpath, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Docker from 'dockerode';
import { dockerArchive, imageOf } from '../images/image-fixture.ts';

export const testImage = 'hull/test:latest';

/** For tests: the real daemon as a child process, its roots below a temporary folder, and what it left behind. */
export class TestDaemon implements AsyncDisposable {
  readonly folder: string;
  readonly socketPath: string;
  readonly docker: Docker;
  readonly #words: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(folder: string, words: readonly string[]) {
    this.folder = folder;
    this.#words = words;
    this.socketPath = join(folder, 'hull.sock');
    // A connection each: one that Node's own agent keeps is a dead one after the daemon's end, and where a test has held up its own event loop for
    // the five seconds after which the daemon closes it.
    const agent = new Agent({ keepAlive: false });
    const options: Docker.DockerOptions & { readonly agent: Agent } = { socketPath: this.socketPath, agent };
    this.docker = new Docker(options);
  }

  /** `place`: in which file system its roots are; `options`: words for each of its starts. */
  static async start(
    driver: string,
    {
      place = tmpdir(),
      options = [],
    }: { readonly place?: string; readonly options?: readonly string[] } = {},
  ): Promise<TestDaemon> {
    const folder = await realpath(await mkdtemp(join(place, 'hull-daemon-')));
    const daemon = new TestDaemon(folder, ['-s', driver, ...options]);
    await daemon.up();
    return daemon;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get dataRoot(): string {
    return join(this.folder, 'data');
  }

  get execRoot(): string {
    return join(this.folder, 'exec');
  }

  get cgroupParent(): string {
    return `hull-${createHash('sha256').update(this.dataRoot).digest('hex').slice(0, 8)}`;
  }

  /** Starts it, with more options, and waits until it is ready; throws with the log where it ends before. */
  async up(...more: string[]): Promise<void> {
    const child = this.launch(...more);
    this.#child = child;
    const ended = once(child, 'exit');
    // The whole number: that of a container before it may begin with the same digits.
    const ready = new RegExp(`hull is ready.* pid=${child.pid}\\b`);
    for (;;) {
      if (ready.test(await this.log())) return;
      const end = await Promise.race([ended, sleep(20, undefined)]);
      if (end)
        throw new Error(`no daemon, it ended with ${end.find((how) => how !== null)}:\n${await this.log()}`);
    }
  }

  launch(...more: string[]): ChildProcess {
    const log = openSync(join(this.folder, 'log'), 'a');
    try {
      return spawn(
        process.execPath,
        [
          fileURLToPath(new URL('../cli/main.ts', import.meta.url)),
          ...['daemon', '--data-root', this.dataRoot, '--exec-root', this.execRoot, '-D', ...this.#words],
          ...['-H', `unix://${this.socketPath}`, '--pidfile', join(this.folder, 'pid'), ...more],
        ],
        { stdio: ['ignore', log, log] },
      );
    } finally {
      closeSync(log);
    }
  }

  async log(): Promise<string> {
    return await readFile(join(this.folder, 'log'), 'utf8').catch(() => '');
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Answers its exit code. */
  async stop(): Promise<number | null> {
    return await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = once(child, 'exit');
    child.kill(signal);
    const [code] = await ended;
    return code;
  }

  async loadImage(): Promise<void> {
    const busybox = await readFile('/bin/busybox');
    const links = ['sh', 'sleep', 'echo', 'cat', 'id', 'true', 'kill', 'hostname', 'env'].map((name) => ({
      name: `bin/${name}`,
      type: 'symlink' as const,
      linkname: 'busybox',
    }));
    const image = await imageOf(
      [
        [
          { name: 'bin/busybox', mode: 0o755, data: busybox },
          ...links,
          {
            name: 'etc/passwd',
            data: 'root:x:0:0::/root:/bin/sh\nsailor:x:1000:1000::/home/sailor:/bin/sh\n',
          },
          { name: 'etc/group', data: 'root:x:0:\nwheel:x:10:root\ncrew:x:500:sailor\n' },
          { name: 'root', type: 'directory', mode: 0o700 },
          { name: 'tmp', type: 'directory', mode: 0o1777 },
          { name: 'plain', mode: 0o644, data: 'not a program' },
        ],
      ],
      { Cmd: ['/bin/sh'], Env: ['FROM_IMAGE=yes'] },
    );
    const stream = await this.docker.loadImage(Readable.from([await dockerArchive(image, testImage)]));
    let lines = '';
    for await (const chunk of stream) lines += chunk;
    if (!lines.includes(`Loaded image: ${testImage}`))
      throw new Error(`Cannot load the test image: ${lines}`);
  }

  /** Everything on the host that carries the mark of this daemon's containers: each as a sentence. */
  async leftovers(): Promise<readonly string[]> {
    const layers = (await readdir(join(this.dataRoot, 'containers')).catch(() => [])).map(
      (id) => `container folder ${id}`,
    );
    const runs = (await readdir(join(this.execRoot, 'containers')).catch(() => [])).map(
      (id) => `run folder ${id}`,
    );
    return [...layers, ...runs, ...(await this.kernelLeftovers())];
  }

  /** The same, only what the kernel knows: mounts in any namespace, cgroups in any hierarchy, processes. */
  async kernelLeftovers(): Promise<readonly string[]> {
    const found: string[] = [];
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== this.pid);
    for (const pid of pids) {
      const read = async (name: string) => await readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
      const [mounts, cgroups, command] = await Promise.all([
        read('mountinfo'),
        read('cgroup'),
        read('cmdline'),
      ]);
      // A dead process that its parent has not looked at yet holds nothing.
      if (/^State:\s+[ZX]/m.test(await read('status'))) continue;
      if (mounts.includes(this.folder))
        found.push(`process ${pid} (${command}) has a mount of ${this.folder}`);
      if (cgroups.includes(this.cgroupParent))
        found.push(`process ${pid} (${command}) is in ${this.cgroupParent}`);
      if (command.startsWith('hull-monitor') && (await this.#isOurs(Number(pid))))
        found.push(`monitor ${pid}`);
    }
    const hierarchies = await readdir('/sys/fs/cgroup');
    for (const name of ['', ...hierarchies]) {
      const folder = join('/sys/fs/cgroup', name, this.cgroupParent);
      if (await readdir(folder).catch(() => undefined)) found.push(`cgroup ${folder}`);
    }
    return found;
  }

  /** A monitor has its FIFOs open below our exec root. */
  async #isOurs(pid: number): Promise<boolean> {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const targets = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
    return targets.some((target) => target.startsWith(this.folder));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A daemon that was killed may have left containers: only a daemon clears them up.
    if (!this.#child) await this.up();
    for (const { Id } of await this.docker.listContainers({ all: true })) {
      await this.docker.getContainer(Id).remove({ force: true });
    }
    await this.stop();
    await mkdir(this.folder, { recursive: true });
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Why the daemon cannot be tried here, or ''. */
export function whyNoDaemon(): string {
  return process.getuid?.() === 0 ? '' : 'not root';
}
