import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeOf } from '../base/errors.ts';
import type { Process, Spec } from '../base/oci.ts';
import { readLogFrames } from './log-frames.ts';
import type { LaunchRequest } from './types.ts';

const busybox = ['/usr/bin/busybox', '/bin/busybox'].find((path) => existsSync(path));

/** Why launches cannot be tried here, or undefined where they can. */
export const whyNoLaunches =
  process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)
    ? 'not on Linux for x64 or arm64'
    : process.getuid?.() !== 0
      ? 'not root'
      : busybox === undefined
        ? 'no busybox'
        : undefined;
export const titleSuffix = whyNoLaunches ? ` (skipped: ${whyNoLaunches})` : '';

const applets =
  'readlink mount umount grep sh cat echo ls id sleep hostname ip ps env mkdir touch stat head dd kill true'.split(
    ' ',
  );

export const dockerMounts: Spec['mounts'] & object = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777'],
  },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
];

/** A folder with a small root file system in it, and requests to start containers from it. */
export class LaunchFixture implements AsyncDisposable {
  readonly dir: string;
  readonly id: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.id = dir.slice(dir.lastIndexOf('-') + 1);
  }

  static async create(): Promise<LaunchFixture> {
    const fixture = new LaunchFixture(await mkdtemp(join(tmpdir(), 'hull-launch-')));
    for (const name of ['root/bin', 'root/etc', 'run', 'upper', 'work'])
      await mkdir(join(fixture.dir, name), { recursive: true });
    if (busybox !== undefined) await copyFile(busybox, join(fixture.dir, 'root/bin/busybox'));
    for (const name of applets) await symlink('busybox', join(fixture.dir, 'root/bin', name));
    return fixture;
  }

  get runDir(): string {
    return join(this.dir, 'run');
  }

  process(args: readonly string[], more: Partial<Process> = {}): Process {
    return { cwd: '/', args, env: ['PATH=/usr/bin:/bin'], user: { uid: 0, gid: 0 }, ...more };
  }

  /** `overlay`: in a folder of its own above the root; `bind`: the root itself, as vfs has it. */
  request(
    args: readonly string[],
    more: {
      readonly process?: Partial<Process>;
      readonly spec?: Partial<Spec>;
      readonly linux?: Partial<Spec['linux']>;
      readonly request?: Partial<LaunchRequest>;
      readonly root?: 'overlay' | 'bind';
    } = {},
  ): LaunchRequest {
    const overlay = ['lowerdir=root', 'upperdir=upper', 'workdir=work'];
    return {
      id: this.id,
      rootMounts: [
        more.root === 'bind'
          ? { type: 'bind', source: join(this.dir, 'root'), target: '', options: [] }
          : { type: 'overlay', source: 'overlay', target: '', options: overlay, cwd: this.dir },
      ],
      rootLockPath: join(this.dir, 'lock'),
      cgroup: { v1Procs: [] },
      runDir: this.runDir,
      logPath: join(this.dir, 'log'),
      openStdin: false,
      ...more.request,
      spec: {
        ociVersion: '1.2.0',
        process: this.process(args, more.process),
        root: { path: '/' },
        hostname: 'deck',
        mounts: dockerMounts,
        ...more.spec,
        linux: {
          namespaces: [
            { type: 'mount' },
            { type: 'pid' },
            { type: 'network' },
            { type: 'ipc' },
            { type: 'uts' },
            { type: 'cgroup' },
          ],
          ...more.linux,
        },
      },
    };
  }

  async output(): Promise<{ readonly stdout: string; readonly stderr: string }> {
    const text = { stdout: '', stderr: '' };
    for await (const { stream, data } of readLogFrames(join(this.dir, 'log')))
      text[stream] += data.toString();
    return text;
  }

  /** Ids of our monitors that are still there (zombies too). */
  monitors(): readonly number[] {
    return processes().filter((pid) => readProc(pid, 'cmdline').startsWith(`hull-monitor ${this.id}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.dir, { recursive: true, force: true });
  }
}

export function processes(): readonly number[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

export function readProc(pid: number | 'self', file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return '';
    throw error;
  }
}

/** Names of the mount namespaces in which the fixture's folder is mounted, ours excepted. */
export function namespacesShowing(dir: string): readonly string[] {
  const own = readlinkSync('/proc/self/ns/mnt');
  const found = new Set<string>();
  for (const pid of processes()) {
    try {
      const namespace = readlinkSync(`/proc/${pid}/ns/mnt`);
      if (namespace !== own && readProc(pid, 'mountinfo').includes(dir)) found.add(namespace);
    } catch {
      // It has ended meanwhile.
    }
  }
  return [...found];
}
