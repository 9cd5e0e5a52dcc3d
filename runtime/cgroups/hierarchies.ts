import { readFileSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { HullError } from '../base/errors.ts';
import { ifGone } from './files.ts';

/** One tree of cgroups. Co-mounted v1 controllers (`cpu,cpuacct`) are one hierarchy with two names. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** The mount point. */
  readonly root: string;
  /** v1: as mounted; v2: as its cgroup.controllers has them; `name=systemd` counts as a controller that limits nothing. */
  readonly controllers: readonly string[];
}

interface CgroupMount extends Hierarchy {
  readonly device: string;
  /** The part of the hierarchy that is shown; '/' is all of it. */
  readonly shows: string;
}

const magic = { 1: 0x27e0eb, 2: 0x63677270 } as const;

/** The host's hierarchies, from /proc/self/mountinfo and /proc/cgroups; each is checked to be what the table says. */
export async function findHierarchies(): Promise<readonly Hierarchy[]> {
  const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8');
  if (mountinfo !== lastFound.mountinfo)
    Object.assign(lastFound, { mountinfo, mounts: findCgroupMounts(mountinfo) });
  if (lastFound.mounts.length === 0) {
    throw new HullError(
      'Cannot use cgroups: found no writable cgroup or cgroup2 mount, wanted at least one',
      {
        kind: 'unsupported',
        hint: 'Mount cgroup2 at /sys/fs/cgroup.',
      },
    );
  }
  return lastFound.mounts.map(withController);
}

/** While the table of mounts is the same, so is what is found by it. */
const lastFound: { mountinfo: string; mounts: readonly CgroupMount[] } = { mountinfo: '', mounts: [] };

function findCgroupMounts(mountinfo: string): readonly CgroupMount[] {
  const subsystems = ifGone(() => readFileSync('/proc/cgroups', 'utf8'));
  const byHierarchy = new Map<string, CgroupMount>();
  for (const mount of parseCgroupMounts(mountinfo, subsystems ?? '')) {
    // The best mount of a hierarchy comes first; a mount hidden below another one is none.
    if (byHierarchy.has(mount.device) || !isVisible(mount)) continue;
    byHierarchy.set(mount.device, mount);
  }
  return [...byHierarchy.values()];
}

/** Writable cgroup mounts: those that show a whole hierarchy first, later ones (which lie on top) before earlier ones. */
export function parseCgroupMounts(mountinfo: string, subsystems: string): readonly CgroupMount[] {
  const known = new Set(subsystems.split('\n').map((line) => line.split('\t', 1)[0]));
  return mountinfo
    .split('\n')
    .flatMap((line) => parseLine(line, known))
    .reverse()
    .sort((a, b) => Number(b.shows === '/') - Number(a.shows === '/'));
}

// proc_pid_mountinfo(5): id parent major:minor root point options optional… - type source super-options
function parseLine(line: string, known: ReadonlySet<string | undefined>): CgroupMount[] {
  const [before = '', after = ''] = line.split(' - ', 2);
  const [, , device = '', shows = '', point = '', options = ''] = before.split(' ');
  const [type, , superOptions = ''] = after.split(' ');
  if (type !== 'cgroup' && type !== 'cgroup2') return [];
  const words = superOptions.split(',');
  if (options.split(',').includes('ro') || words.includes('ro')) return [];
  return [
    {
      version: type === 'cgroup' ? 1 : 2,
      device,
      shows,
      root: point.replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
      controllers:
        type === 'cgroup2' ? [] : words.filter((word) => known.has(word) || word.startsWith('name=')),
    },
  ];
}

function isVisible({ root, version, device }: CgroupMount): boolean {
  const fs = ifGone(() => statfsSync(root));
  const folder = statSync(root, { bigint: true, throwIfNoEntry: false });
  return fs?.type === magic[version] && folder !== undefined && deviceName(folder.dev) === device;
}

// makedev(3), as stat(2) gives st_dev.
function deviceName(dev: bigint): string {
  const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn);
  const minor = (dev & 0xffn) | ((dev >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}

function withController({ version, root, controllers }: CgroupMount): Hierarchy {
  if (version === 1) return { version, root, controllers };
  const words = readFileSync(join(root, 'cgroup.controllers'), 'utf8');
  return { version, root, controllers: words.split(/\s+/).filter(Boolean) };
}

/** Whether the hierarchy is still mounted there: on a plain folder, mkdir and writes would leave litter below a later mount. */
export function checkMounted({ root, version }: Hierarchy): void {
  const found = ifGone(() => statfsSync(root))?.type;
  if (found === magic[version]) return;
  throw new HullError(
    `Cannot use the cgroup hierarchy at ${JSON.stringify(root)}: found ${
      found === undefined ? 'nothing' : `file system 0x${found.toString(16)}`
    }, wanted cgroup v${version} (0x${magic[version].toString(16)})`,
    { kind: 'unavailable' },
  );
}
