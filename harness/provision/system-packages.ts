import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';

/** What a program or file comes from, by package manager. */
interface Need {
  /** A program's name, or the absolute path of a file. */
  readonly probe: string;
  readonly apt: string;
  readonly dnf: string;
}

export type SystemRole = 'tests' | 'scenarios';

const busybox: Need = { probe: 'busybox', apt: 'busybox-static', dnf: 'busybox' };
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
    { probe: 'setpriv', apt: 'util-linux', dnf: 'util-linux' },
    mkfs,
    busybox,
  ],
  tests: [
    { probe: 'mkfs.xfs', apt: 'xfsprogs', dnf: 'xfsprogs' },
    { probe: 'mkfs.btrfs', apt: 'btrfs-progs', dnf: 'btrfs-progs' },
    { probe: 'dmsetup', apt: 'dmsetup', dnf: 'device-mapper' },
    { probe: 'thin_check', apt: 'thin-provisioning-tools', dnf: 'device-mapper-persistent-data' },
    { probe: 'objdump', apt: 'binutils', dnf: 'binutils' },
    { probe: 'nft', apt: 'nftables', dnf: 'nftables' },
    { probe: 'ip', apt: 'iproute2', dnf: 'iproute' },
    { probe: 'zstd', apt: 'zstd', dnf: 'zstd' },
    { probe: '/usr/sbin/sshd', apt: 'openssh-server', dnf: 'openssh-server' },
    mkfs,
    busybox,
  ],
};

/**
 * Afterwards the programs that `role` uses on this machine are there: probed by looking for them, the missing ones
 * installed by apt or dnf as root. Not root, or no package manager: an error whose one line is the command to run.
 */
export async function ensureSystemPackages(
  role: SystemRole,
  progress: (message: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const missing = await missingNeeds(role);
  if (missing.length === 0) return;
  const manager = await findManager();
  const packages = [...new Set(missing.map((need) => need[manager?.name ?? 'apt']))];
  const what = missing.map(({ probe }) => probe).join(', ');
  const command = `${manager?.program ?? 'apt-get'} install -y ${packages.join(' ')}`;
  if (!manager || process.getuid?.() !== 0) {
    throw new Error(`Cannot run the ${role}: missing ${what}; as root run: ${command}`);
  }
  progress(`installing ${packages.join(', ')} (${what} missing)`);
  const options = { env: { DEBIAN_FRONTEND: 'noninteractive' }, ...(signal ? { cancelSignal: signal } : {}) };
  for (const args of manager.steps(packages)) {
    const result = await execa(manager.program, args, { ...options, all: true, reject: false });
    signal?.throwIfAborted();
    if (!result.failed) continue;
    throw new Error(
      `Cannot install ${packages.join(' ')}: ${manager.program} ${args.join(' ')}: ${result.all.slice(-2000)}`,
      { cause: result },
    );
  }
  const still = await missingNeeds(role);
  if (still.length > 0) {
    throw new Error(
      `Cannot run the ${role}: ${command} succeeded, still missing ${still.map(({ probe }) => probe).join(', ')}`,
    );
  }
}

async function missingNeeds(role: SystemRole): Promise<readonly Need[]> {
  const found = await Promise.all(needs[role].map(({ probe }) => isPresent(probe)));
  return needs[role].filter((_, i) => !found[i]);
}

/** Absolute paths as they are; programs along PATH and the system folders that a user's PATH leaves out. */
async function isPresent(probe: string): Promise<boolean> {
  if (probe.startsWith('/')) return isAccessible(probe, constants.R_OK);
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const found = await Promise.all(
    folders.map((folder) => folder !== '' && isAccessible(join(folder, probe), constants.X_OK)),
  );
  return found.includes(true);
}

async function isAccessible(path: string, mode: number): Promise<boolean> {
  try {
    await access(path, mode);
    return true;
  } catch {
    return false;
  }
}

interface Manager {
  readonly name: 'apt' | 'dnf';
  readonly program: string;
  steps(packages: readonly string[]): readonly (readonly string[])[];
}

const managers: readonly Manager[] = [
  {
    name: 'apt',
    program: 'apt-get',
    steps: (packages) => [['update'], ['install', '-y', '--no-install-recommends', ...packages]],
  },
  { name: 'dnf', program: 'dnf', steps: (packages) => [['install', '-y', ...packages]] },
];

async function findManager(): Promise<Manager | undefined> {
  for (const manager of managers) if (await isPresent(manager.program)) return manager;
  return undefined;
}
