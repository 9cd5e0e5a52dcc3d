import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OciFixture, Outcome } from './oci-fixture.ts';

const cgroups = '/sys/fs/cgroup';
const hullOci = join(import.meta.dirname, '../bin/hull-oci');
/** Of nobody else: what runs as it is ours. */
const user = 54_321;
const subordinate = 54_400_000;

/** Why podman cannot be tried here, or undefined where it can. */
export function whyNoPodman({ asUser }: { readonly asUser: boolean }): string | undefined {
  const tools = ['podman', 'conmon', ...(asUser ? ['newuidmap', 'newgidmap'] : [])];
  const lacking = tools.find((tool) => !isThere(tool));
  return lacking === undefined ? undefined : `no ${lacking}`;
}

function isThere(tool: string): boolean {
  const folders = `${process.env['PATH']}:/usr/sbin:/usr/libexec/podman:/usr/lib/podman`.split(':');
  return folders.some((folder) => existsSync(join(folder, tool)));
}

/**
 * podman with a storage of its own and hull as its runtime: as root, or as a user that exists only in the mount namespaces of our own
 * calls, where other files are in the place of /etc/passwd, /etc/subuid and so on.
 */
export class Podman implements AsyncDisposable {
  /** Short names: podman takes no `--runroot` of more than 50 characters, and a run's temporary folder has 36 of them. */
  readonly dir = mkdtempSync(join(tmpdir(), 'p-'));
  readonly #asUser: boolean;
  readonly #hierarchies = readdirSync(cgroups);

  /** @param bundle whose root the image has */
  constructor(bundle: OciFixture, { asUser }: { readonly asUser: boolean }) {
    this.#asUser = asUser;
    for (const name of ['home', 'run', 'tmp']) mkdirSync(join(this.dir, name), { mode: 0o700 });
    const file = (name: string, text: string) => writeFileSync(join(this.dir, name), text);
    file(
      'passwd',
      `${readFileSync('/etc/passwd', 'utf8')}hullt:x:${user}:${user}::${this.dir}/home:/bin/sh\n`,
    );
    // Its own defaults are higher than root has a right to where it has no CAP_SYS_RESOURCE.
    file('containers.conf', '[containers]\ndefault_ulimits = ["nofile=1000:1000", "nproc=1000:1000"]\n');
    file('group', `${readFileSync('/etc/group', 'utf8')}hullt:x:${user}:\n`);
    for (const name of ['subuid', 'subgid']) file(name, `hullt:${subordinate}:65536\n`);
    execFileSync('tar', ['-C', join(bundle.dir, 'rootfs'), '-cf', this.image, '.']);
    chmodSync(this.dir, 0o755);
    if (asUser)
      execFileSync('chown', [
        '-R',
        `${user}:${user}`,
        ...['home', 'run', 'tmp'].map((name) => join(this.dir, name)),
      ]);
  }

  /** An archive, to be imported. */
  get image(): string {
    return join(this.dir, 'root.tar');
  }

  async call(...args: readonly string[]): Promise<Outcome> {
    return await this.command(...this.words(...args));
  }

  words(...args: readonly string[]): readonly string[] {
    const storage = this.#asUser
      ? []
      : ['--root', join(this.dir, 'home/storage'), '--runroot', join(this.dir, 'r')];
    const own = ['--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'];
    return [
      'podman',
      '--runtime',
      hullOci,
      '--log-level',
      'error',
      ...own,
      '--tmpdir',
      join(this.dir, 'tmp'),
      ...storage,
      ...args,
    ];
  }

  async command(...words: readonly string[]): Promise<Outcome> {
    const environment = [
      'env',
      '-i',
      `PATH=${process.env['PATH']}:/usr/sbin:/sbin`,
      `HOME=${this.dir}/home`,
      'TERM=xterm',
      `CONTAINERS_CONF=${this.dir}/containers.conf`,
    ];
    const runtime = `XDG_RUNTIME_DIR=${this.dir}/run`;
    const become = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
    const all = this.#asUser ? [...become, ...environment, runtime, ...words] : [...environment, ...words];
    return await new Promise((resolve) => {
      const child = execFile(
        'unshare',
        ['-m', 'sh', '-c', inOwnPlaces, this.dir, ...all],
        { timeout: 120_000 },
        (error, stdout, stderr) => {
          resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr });
        },
      );
      child.stdin?.end();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.call('rm', '--all', '--force', '--time', '0');
    if (this.#asUser) await this.#killUser();
    await removeParents(this.#hierarchies);
    // The runtime's own folder, where nobody has a container: when conmon cleans up it names no other.
    if (!this.#asUser) attempt(() => rmdirSync('/run/hull-oci'));
    // Layers belong to subordinate users.
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** podman leaves a process that keeps its namespaces. */
  async #killUser(): Promise<void> {
    for (let tries = 0; tries < 100; tries += 1) {
      const { stdout } = await this.command('ps', '-o', 'pid=', '-U', String(user));
      const pids = stdout.split(/\s+/).filter(Boolean).map(Number);
      // The one that listed is among them.
      if (pids.length <= 1) return;
      for (const pid of pids)
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended.
        }
      await sleep(50);
    }
  }
}

/**
 * podman leaves the groups that it has made for all its containers, its last conmon in them for a moment, and plain folders of that name for
 * hierarchies that are not mounted. Those of somebody's containers are not empty, and stay.
 */
async function removeParents(before: readonly string[]): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    const parents = ['.', ...readdirSync(cgroups)].map((name) => join(cgroups, name, 'libpod_parent'));
    const left = parents.filter((parent) => existsSync(parent));
    if (left.length === 0) break;
    if (tries > 0) await sleep(100);
    for (const parent of left) {
      // A file that a cgroup has cannot be taken away.
      attempt(() => unlinkSync(join(parent, 'conmon/tasks')));
      attempt(() => rmdirSync(join(parent, 'conmon')));
      attempt(() => rmdirSync(parent));
    }
  }
  for (const name of readdirSync(cgroups).filter((each) => !before.includes(each)))
    attempt(() => rmdirSync(join(cgroups, name)));
}

function attempt(remove: () => void): void {
  try {
    remove();
  } catch {
    // Not there, or in use.
  }
}

/** Ends with the words behind it: in the mount namespace, with our files in the places of the machine's. */
const inOwnPlaces = `set -e
mount --make-rprivate /
for name in passwd group subuid subgid; do [ ! -e /etc/$name ] || mount --bind "$0/$name" /etc/$name; done
exec "$@"`;
