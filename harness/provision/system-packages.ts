import { constants, existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';

/** What a program or file comes from, by package manager. */
interface Need {
  /** A program's name, or the absolute path of a file. */
  readonly probe: string;
  readonly apt: string;
  /** Absent where no package has it: then the tests that use it are skipped. */
  readonly dnf?: string;
  /** Units that the package would start, now and at each boot, though only its program is wanted. */
  readonly units?: readonly string[];
}

export type SystemRole = 'tests' | 'scenarios' | 'bench';

const busybox: Need = { probe: 'busybox', apt: 'busybox-static', dnf: 'busybox' };
const mount: Need = { probe: 'mount', apt: 'mount', dnf: 'util-linux' };
const mkfs: Need = { probe: 'mke2fs', apt: 'e2fsprogs', dnf: 'e2fsprogs' };

const needs: Readonly<Record<SystemRole, readonly Need[]>> = {
  scenarios: [
    { probe: 'qemu-system-x86_64', apt: 'qemu-system-x86', dnf: 'qemu-system-x86-core' },
    { probe: 'qemu-img', apt: 'qemu-utils', dnf: 'qemu-img' },
    { probe: 'mmdebstrap', apt: 'mmdebstrap', dnf: 'mmdebstrap' },
    {
      probe: '/usr/share/keyrings/debian-archive-keyring.gpg',
      apt: 'debian-archive-keyring',
      dnf: 'debian-keyring',
    },
    mount,
    { probe: 'setpriv', apt: 'util-linux', dnf: 'util-linux' },
    { probe: 'flock', apt: 'util-linux', dnf: 'util-linux-core' },
    mkfs,
    busybox,
  ],
  tests: [
    mount,
    { probe: 'mkfs.xfs', apt: 'xfsprogs', dnf: 'xfsprogs' },
    { probe: 'mkfs.btrfs', apt: 'btrfs-progs', dnf: 'btrfs-progs' },
    { probe: 'dmsetup', apt: 'dmsetup', dnf: 'device-mapper' },
    { probe: 'thin_check', apt: 'thin-provisioning-tools', dnf: 'device-mapper-persistent-data' },
    { probe: 'objdump', apt: 'binutils', dnf: 'binutils' },
    { probe: 'aarch64-linux-gnu-as', apt: 'binutils-aarch64-linux-gnu' },
    { probe: 'qemu-aarch64', apt: 'qemu-user' },
    { probe: 'nft', apt: 'nftables', dnf: 'nftables' },
    { probe: 'ip', apt: 'iproute2', dnf: 'iproute' },
    { probe: 'zstd', apt: 'zstd', dnf: 'zstd' },
    { probe: 'skopeo', apt: 'skopeo', dnf: 'skopeo' },
    { probe: 'umoci', apt: 'umoci' },
    { probe: '/usr/sbin/sshd', apt: 'openssh-server', dnf: 'openssh-server' },
    // Started by its package it is an open registry on port 5000 of all addresses.
    { probe: 'docker-registry', apt: 'docker-registry', units: ['docker-registry.service'] },
    {
      probe: 'podman',
      apt: 'podman',
      dnf: 'podman',
      units: ['podman.service', 'podman.socket', 'podman-auto-update.timer', 'podman-restart.service'],
    },
    { probe: 'python3', apt: 'python3', dnf: 'python3' },
    { probe: 'newuidmap', apt: 'uidmap', dnf: 'shadow-utils' },
    { probe: 'openssl', apt: 'openssl', dnf: 'openssl' },
    mkfs,
    busybox,
  ],
  // Docker is measured where it is installed: its package would start a service.
  bench: [
    mount,
    { probe: 'unshare', apt: 'util-linux', dnf: 'util-linux-core' },
    { probe: 'crun', apt: 'crun', dnf: 'crun' },
    { probe: 'runc', apt: 'runc', dnf: 'runc' },
    { probe: 'umoci', apt: 'umoci' },
    { probe: 'mkfs.btrfs', apt: 'btrfs-progs', dnf: 'btrfs-progs' },
    busybox,
  ],
};

export interface SystemPackagesOptions {
  readonly signal?: AbortSignal;
  /** Folders to look for programs in. Default: PATH, and the system folders that a user's PATH leaves out. */
  readonly folders?: readonly string[];
  /** Whether packages can be installed. Default: this process is root. */
  readonly isRoot?: boolean;
  /** Whether systemd runs here. Default: sd_booted(3). */
  readonly isBooted?: boolean;
}

/**
 * Afterwards the programs that `role` uses on this machine are there: probed by looking for them, the missing ones
 * installed by apt or dnf as root. Not root, or no package manager: an error whose one line is the command to run.
 */
export async function ensureSystemPackages(
  role: SystemRole,
  progress: (message: string) => void,
  options: SystemPackagesOptions = {},
): Promise<void> {
  const { signal, folders = systemFolders(), isRoot = process.getuid?.() === 0 } = options;
  const { isBooted = existsSync('/run/systemd/system') } = options;
  const absent = await missingNeeds(role, folders);
  if (absent.length === 0) return;
  const manager = await findManager(folders);
  const missing = absent.filter((need) => need[manager?.name ?? 'apt'] !== undefined);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.flatMap((need) => need[manager?.name ?? 'apt'] ?? []))];
  const what = missing.map(({ probe }) => probe).join(', ');
  const command = `${manager?.name ?? 'apt'} install ${packages.join(' ')}`;
  if (!manager || !isRoot) {
    throw new Error(`Cannot run the ${role}: missing ${what}; as root run: ${command}`);
  }
  progress(`installing ${packages.join(', ')} (${what} missing)`);
  const services = missing.flatMap(({ units }) => units ?? []);
  await using _ = await keepFromStarting(services, folders, isBooted);
  for (const args of manager.steps(packages)) await runStep(manager, args, packages, signal);
  const still = (await missingNeeds(role, folders)).filter((need) => missing.includes(need));
  if (still.length === 0) return;
  const names = still.map(({ probe }) => probe).join(', ');
  throw new Error(`Cannot run the ${role}: still missing after ${command}: ${names}`);
}

async function runStep(
  manager: Manager,
  args: readonly string[],
  packages: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const result = await execa(manager.program, args, {
    all: true,
    reject: false,
    stdin: 'ignore',
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    ...(signal ? { cancelSignal: signal } : {}),
  });
  signal?.throwIfAborted();
  if (!result.failed) return;
  const words = result.all.trim().slice(-2000);
  throw new Error(`Cannot install ${packages.join(' ')}: ${manager.name} ${args[0]}: ${words}`, {
    cause: result,
  });
}

/**
 * The services do not start with the installation (masked for as long as it takes, until the next boot where it is killed), nor at a boot (disabled afterwards): whoever
 * wants one enables it. Where systemd does not run nothing starts, and a mask would make the folder by which programs believe that it does.
 */
async function keepFromStarting(
  services: readonly string[],
  folders: readonly string[],
  isBooted: boolean,
): Promise<AsyncDisposable> {
  const program = services.length > 0 ? await find('systemctl', folders) : undefined;
  const systemctl = async (...args: readonly string[]) => {
    if (program === undefined) return;
    await execa(program, [...args, ...services], { reject: false, stdin: 'ignore' });
  };
  if (isBooted) await systemctl('mask', '--runtime');
  return {
    async [Symbol.asyncDispose]() {
      if (isBooted) await systemctl('unmask', '--runtime');
      await systemctl('disable');
    },
  };
}

async function missingNeeds(role: SystemRole, folders: readonly string[]): Promise<readonly Need[]> {
  const found = await Promise.all(needs[role].map(({ probe }) => find(probe, folders)));
  return needs[role].filter((_, i) => found[i] === undefined);
}

function systemFolders(): readonly string[] {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...path, '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];
}

/** A program's path along the folders; an absolute path as it is. */
async function find(probe: string, folders: readonly string[]): Promise<string | undefined> {
  const mode = probe.startsWith('/') ? constants.R_OK : constants.X_OK;
  for (const path of probe.startsWith('/') ? [probe] : folders.map((folder) => join(folder, probe))) {
    const present = await access(path, mode).then(
      () => true,
      () => false,
    );
    if (present) return path;
  }
  return undefined;
}

interface Manager {
  readonly name: 'apt' | 'dnf';
  readonly program: string;
  readonly steps: (packages: readonly string[]) => readonly (readonly string[])[];
}

async function findManager(folders: readonly string[]): Promise<Manager | undefined> {
  const apt = await find('apt-get', folders);
  if (apt !== undefined) {
    const install = ['install', '-y', '--no-install-recommends'];
    return { name: 'apt', program: apt, steps: (packages) => [['update'], [...install, ...packages]] };
  }
  const dnf = await find('dnf', folders);
  return dnf === undefined
    ? undefined
    : { name: 'dnf', program: dnf, steps: (packages) => [['install', '-y', ...packages]] };
}
