import { constants } from 'node:fs';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { extract } from 'tar-stream';
import { bundleHull, hullProgram } from '../../harness/engines/bundle-hull.ts';
import type { RunRoot } from '../run-root.ts';
import { hullDataRoot } from '../run-root.ts';
import { type DaemonCommand, EngineProcess } from './engine.ts';
import { Spawner } from './spawner.ts';

/** In the environment where the bench runs in a guest that is thrown away after it. */
export const guestMark = 'SEATRIAL_BENCH_GUEST';

export const projectDir = fileURLToPath(new URL('../..', import.meta.url));

/** Storage drivers that images and `create` are measured on. */
export const hullDrivers = ['overlay', 'vfs', 'btrfs', 'devicemapper', 'zfs'] as const;
export const dockerDrivers = ['overlay2', 'devicemapper'] as const;

/** Small enough for a guest's disk; hull and Docker have the same names for it. */
const poolOptions = ['dm.loopdatasize=8G', 'dm.loopmetadatasize=128M', 'dm.basesize=1G'];

/** What the tasks share while they run: daemons, started on first use and ended together, and places for files. */
export class World implements AsyncDisposable {
  readonly folder: string;
  readonly label: string;
  /** MiB in the payload image. */
  readonly payload: number;
  readonly #shared = new Map<string, Promise<unknown>>();
  readonly #ends = new AsyncDisposableStack();
  #count = 0;

  constructor({ folder, label }: RunRoot, { payload }: { readonly payload: number }) {
    this.folder = folder;
    this.label = label;
    this.payload = payload;
  }

  /** A name that nothing else in this run has. */
  unique(prefix: string): string {
    this.#count += 1;
    return `${prefix}-${this.#count}`;
  }

  /** A new folder for one subject's files. */
  async makeFolder(prefix: string): Promise<string> {
    const path = join(this.folder, this.unique(prefix));
    await mkdir(path, { recursive: true });
    return path;
  }

  /** Makes something once for all tasks; a failure too is the same for all. */
  once<T>(key: string, make: () => Promise<T>): Promise<T> {
    const found = this.#shared.get(key) ?? make();
    this.#shared.set(key, found);
    return found as Promise<T>;
  }

  /** Starts programs as they are. */
  plain(): Promise<Spawner> {
    return this.once('plain', async () => this.#ends.use(new Spawner('plain')));
  }

  /** Starts programs that see no cgroup v2 beside v1. */
  references(): Promise<Spawner> {
    return this.once('references', async () => this.#ends.use(new Spawner('without cgroup v2 beside v1')));
  }

  /** The hull daemon of the checkout on that storage driver. */
  hull(driver: string): Promise<EngineProcess> {
    return this.once(`hull/${driver}`, async () => {
      const folder = dirname(hullDataRoot(this.folder, driver));
      if (isPool(driver) || driver === 'zfs') throwawayOnly();
      if (driver === 'btrfs') await this.#mountBtrfs(folder);
      if (driver === 'zfs') await this.#makeZfs(folder);
      return this.#ends.use(await EngineProcess.start(await this.hullCommand(driver, driver)));
    });
  }

  docker(driver = 'overlay2'): Promise<EngineProcess> {
    return this.once(`docker/${driver}`, async () => {
      if (isPool(driver)) throwawayOnly();
      return this.#ends.use(await EngineProcess.start(await this.dockerCommand(`docker-${driver}`, driver)));
    });
  }

  /** @param program default: the checkout's `runtime/bin/hull` */
  async hullCommand(
    name: string,
    driver: string,
    program: readonly string[] = [join(projectDir, 'runtime/bin/hull')],
    env: Readonly<Record<string, string>> = {},
  ): Promise<DaemonCommand> {
    const dataRoot = hullDataRoot(this.folder, name);
    const folder = dirname(dataRoot);
    await mkdir(folder, { recursive: true });
    const socket = join(folder, 'hull.sock');
    const roots = ['--data-root', dataRoot, '--exec-root', `/run/hull-${name}`];
    return {
      argv: [
        ...program,
        'daemon',
        ...roots,
        '-H',
        `unix://${socket}`,
        '-s',
        driver,
        ...storageOptions(driver),
      ],
      env,
      socket,
      logFile: join(folder, 'log'),
    };
  }

  async dockerCommand(name: string, driver = 'overlay2'): Promise<DaemonCommand> {
    const dockerd = await findProgram('dockerd');
    const folder = join(this.folder, name);
    await mkdir(folder, { recursive: true });
    const socket = join(folder, 'api.sock');
    const roots = ['--data-root', join(folder, 'data'), '--exec-root', `/run/${name}`];
    const network = ['--bridge=none', '--iptables=false', '--ip6tables=false'];
    return {
      argv: [
        ...[dockerd, ...roots, '-H', `unix://${socket}`, '--pidfile', `/run/${name}.pid`, ...network],
        ...[
          '-s',
          driver,
          ...storageOptions(driver),
          // udev would answer to another IPC namespace than the bench's.
          ...(isPool(driver) ? ['--storage-opt', 'dm.override_udev_sync_check=true'] : []),
          '--cgroup-parent',
          `/${this.label}`,
          '--exec-opt',
          'native.cgroupdriver=cgroupfs',
        ],
      ],
      // A package that was only unpacked has its helpers beside it.
      env: {
        PATH: `${join(dirname(dockerd), '../bin')}:${process.env['PATH'] ?? ''}`,
        ...(isPool(driver) ? { DM_DISABLE_UDEV: '1' } : {}),
      },
      socket,
      logFile: join(folder, 'log'),
    };
  }

  /** hull as guests get it, one file; with a compile cache in place of their start-up snapshot. */
  bundle(): Promise<readonly string[]> {
    return this.once('bundle', async () => {
      const folder = await this.makeFolder('bundle');
      const { tar } = await bundleHull(projectDir, process.arch === 'arm64' ? 'arm64' : 'x64');
      const members = extract();
      members.end(tar);
      for await (const member of members) {
        const path = join(folder, member.header.name);
        await mkdir(dirname(path), { recursive: true });
        const chunks: Buffer[] = [];
        for await (const chunk of member) chunks.push(Buffer.from(chunk as Uint8Array));
        await writeFile(path, Buffer.concat(chunks));
      }
      return [process.execPath, '--disable-warning=ExperimentalWarning', join(folder, hullProgram)];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ends.disposeAsync();
  }

  /** A file system in a file; its loop device goes with the mount, the mount with the world. */
  async #mountBtrfs(folder: string): Promise<void> {
    const file = join(this.folder, 'btrfs.img');
    await mkdir(folder, { recursive: true });
    await execa('truncate', ['-s', '8G', file]);
    await execa('mkfs.btrfs', ['-q', file]);
    await execa('mount', ['-o', 'loop', file, folder]);
  }

  /** A pool in a file, mounted in this world. */
  async #makeZfs(folder: string): Promise<void> {
    const zpool = await findProgram('zpool');
    const file = join(this.folder, 'zfs.img');
    await execa('modprobe', ['zfs']);
    await execa('truncate', ['-s', '8G', file]);
    await execa(zpool, ['create', '-o', 'cachefile=none', '-O', `mountpoint=${folder}`, this.label, file]);
  }
}

const isPool = (driver: string): boolean => driver === 'devicemapper';

function storageOptions(driver: string): readonly string[] {
  return isPool(driver) ? poolOptions.flatMap((option) => ['--storage-opt', option]) : [];
}

/** A thin pool belongs to the kernel, and would outlast a bench that is killed. */
function throwawayOnly(): void {
  if (process.env[guestMark] === undefined)
    throw new Error('measured only in guests, as --host debian-11: a killed bench would leave its pool here');
}

/** A program's path, also in the system folders that a user's PATH leaves out; throws where there is none. */
export async function findProgram(name: string): Promise<string> {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  if (name.includes('/')) return await access(name, constants.X_OK).then(() => name);
  for (const folder of [...path, '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']) {
    const found = join(folder, name);
    const present = await access(found, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (present) return found;
  }
  throw new Error(`no ${name} on the PATH`);
}
