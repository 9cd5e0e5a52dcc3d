import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Hooks, Process, Spec } from '../base/oci.ts';
import { defaultSpec } from './spec-template.ts';

const busybox = ['/usr/bin/busybox', '/bin/busybox'].find((path) => existsSync(path));

/** Why the command line cannot be tried here, or undefined where it can. */
export const whyNoOci =
  process.platform !== 'linux' || process.arch !== 'x64'
    ? 'not on Linux x64'
    : process.getuid?.() !== 0
      ? 'not root'
      : busybox === undefined
        ? 'no busybox'
        : undefined;

const standAlone = join(import.meta.dirname, '../bin/hull-oci');

/** `warm`: through a client of a resident process of the fixture's own. */
export type Form = 'stand-alone' | 'warm';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A bundle with busybox in it, a state folder of its own, and the command line. */
export class OciFixture implements AsyncDisposable {
  readonly dir: string;
  readonly #ids = new Set<string>();
  #program = standAlone;
  #resident: ChildProcess | undefined;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async create(form: Form): Promise<OciFixture> {
    const fixture = new OciFixture(await mkdtemp(join(tmpdir(), 'hull-oci-')));
    await mkdir(join(fixture.dir, 'rootfs/bin'), { recursive: true });
    if (busybox !== undefined) await copyFile(busybox, join(fixture.dir, 'rootfs/bin/busybox'));
    for (const name of 'sh cat echo ls id sleep tty stty env kill true readlink'.split(' '))
      await symlink('busybox', join(fixture.dir, 'rootfs/bin', name));
    if (form === 'warm') await fixture.#startResident();
    return fixture;
  }

  async #startResident(): Promise<void> {
    const [socket, client] = [join(this.dir, 'resident.sock'), join(this.dir, 'hull-oci')];
    const args = ['resident', '--socket', socket, '--client', client, '--idle', '0'];
    this.#resident = spawn(standAlone, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    this.#program = client;
    while (!existsSync(socket)) {
      if (this.#resident.exitCode !== null) throw new Error('Cannot try the warm form: the resident ended');
      await sleep(20);
    }
  }

  get root(): string {
    return join(this.dir, 'state');
  }

  id(): string {
    const id = `${this.dir.slice(-6)}-${this.#ids.size}`;
    this.#ids.add(id);
    return id;
  }

  async configure(
    args: readonly string[],
    more: {
      readonly process?: Partial<Process>;
      readonly spec?: Partial<Spec>;
      readonly linux?: Partial<Spec['linux']>;
      readonly hooks?: Hooks;
    } = {},
  ): Promise<void> {
    const spec = {
      ...defaultSpec,
      root: { path: 'rootfs', readonly: false },
      ...more.spec,
      process: { ...defaultSpec.process, terminal: false, args, ...more.process },
      linux: { ...defaultSpec.linux, ...more.linux },
      ...(more.hooks ? { hooks: more.hooks } : {}),
    };
    await writeFile(join(this.dir, 'config.json'), JSON.stringify(spec));
  }

  /** The whole command line. */
  words(...args: readonly string[]): readonly string[] {
    return [this.#program, '--root', this.root, ...args];
  }

  /** `hull oci` in the bundle's folder, without input. */
  async oci(...args: readonly string[]): Promise<Outcome> {
    const [file = '', ...words] = this.words(...args);
    return await this.command(file, ...words);
  }

  /** The same for what leaves a container behind, which keeps the streams it was given: the end of the others would be waited for in vain. */
  async detached(...args: readonly string[]): Promise<Outcome> {
    const quiet = '"$0" "$@" </dev/null >/dev/null 2>detached.err';
    const { code, stdout } = await this.command('sh', '-c', quiet, ...this.words(...args));
    return { code, stdout, stderr: await readFile(join(this.dir, 'detached.err'), 'utf8') };
  }

  async command(file = '', ...args: readonly string[]): Promise<Outcome> {
    return await new Promise((resolve) => {
      const child = execFile(file, args, { cwd: this.dir, timeout: 120_000 }, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr });
      });
      child.stdin?.end();
    });
  }

  async status(id: string): Promise<string> {
    const { stdout } = await this.oci('state', id);
    return (JSON.parse(stdout) as { readonly status: string }).status;
  }

  /** Containers' folders and cgroups that are still there. */
  left(): readonly string[] {
    const folders = existsSync(this.root) ? readdirSync(this.root) : [];
    const groups = readdirSync('/sys/fs/cgroup', { recursive: false }).flatMap((name) =>
      [...this.#ids].filter((id) => existsSync(`/sys/fs/cgroup/${name}/${id}`) || name === id),
    );
    return [...folders, ...groups];
  }

  /** What a failed test has left. */
  async removeAll(): Promise<void> {
    for (const id of this.#ids) await this.oci('delete', '--force', id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.left().length > 0) await this.removeAll();
    const resident = this.#resident;
    if (resident && resident.exitCode === null) {
      const ended = once(resident, 'exit');
      resident.kill();
      await ended;
    }
    await rm(this.dir, { recursive: true, force: true });
  }
}
