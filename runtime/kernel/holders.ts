import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { makeDevice } from '../sys/mknod.ts';
import { mountNamespaceOf, processIds, readMountNamespaces } from './mount-namespaces.ts';
import { coveringMount, escapeMountPath, isWithin, type MountInfo, readMountInfo } from './mountinfo.ts';

/** Who keeps something from being unmounted, deactivated or removed. */
export interface Holder {
  readonly pid: number;
  readonly comm: string;
  /** Inode number of the process's mount namespace. */
  readonly mountNamespace: number | undefined;
  readonly how: 'mount' | 'cwd' | 'root' | 'exe' | 'fd' | 'map' | 'swap' | 'loop' | 'device';
  /** Where it is seen: the mount point, the open file, the loop device. */
  readonly path: string;
}

/** What is asked about. */
export type HeldThing =
  /** A block device: mounted, open, mapped, swapped on, or below another device. */
  | { readonly kind: 'device'; readonly major: number; readonly minor: number }
  /** An overlay that has this option word, as `upperdir=ABCD/diff`. */
  | { readonly kind: 'overlay'; readonly option: string }
  /** A folder: binds of it or of something in it, files open below it. */
  | { readonly kind: 'folder'; readonly path: string };

/**
 * Everybody who holds the thing, by `/proc`: mounts of every mount namespace, then working directories, roots,
 * executables, open files, mapped files, swap and loop devices of every process.
 */
export function findHolders(thing: HeldThing): readonly Holder[] {
  return unique([...findMountHolders(thing), ...findOpenHolders(thing)]);
}

/** Only those who see it mounted: one read for each mount namespace. Cheap enough for every container start. */
export function findMountHolders(thing: HeldThing): readonly Holder[] {
  const search = mountSearch(thing);
  const own = mountNamespaceOf('self');
  return readMountNamespaces(search.text).flatMap((namespace) => {
    const mount = namespace.mounts.find(search.matches);
    if (!mount) return [];
    // Everybody in the host's own namespace "sees" a mount there; nobody in particular holds it.
    const pids = namespace.inode === own ? [process.pid] : namespace.pids;
    return pids.map((pid) => holder(pid, 'mount', mount.mountPoint, namespace.inode));
  });
}

/** Those who hold it without a mount: open files and the like. Looks at every descriptor of every process. */
export function findOpenHolders(thing: HeldThing): readonly Holder[] {
  if (thing.kind === 'overlay') return [];
  const pinned = thing.kind === 'device' ? deviceTest(thing) : folderTest(thing.path);
  return [
    ...processIds().flatMap((pid) => (pid === process.pid ? [] : openFiles(pid, pinned))),
    ...swaps(pinned),
    ...loopDevices(pinned),
    ...(thing.kind === 'device' ? stackedDevices(thing) : []),
  ];
}

/** One sentence part: `process 123 (sh) has "/x" open in mount namespace 4026531840`. */
export function holderSentence({ pid, comm, mountNamespace, how, path }: Holder): string {
  const place = JSON.stringify(path);
  if (how === 'swap') return `swap is on ${place}`;
  if (how === 'loop') return `loop device ${place} is backed by it`;
  if (how === 'device') return `device ${place} is built on it`;
  if (how === 'mount' && pid === process.pid) {
    return `it is mounted at ${place} in the daemon's own mount namespace ${mountNamespace}`;
  }
  const verbs = {
    mount: `sees it mounted at ${place}`,
    cwd: `has ${place} as working directory`,
    root: `has ${place} as root directory`,
    exe: `runs ${place}`,
    fd: `has ${place} open`,
    map: `has ${place} mapped`,
  };
  return `process ${pid} (${comm}) ${verbs[how]} in mount namespace ${mountNamespace ?? 'unknown'}`;
}

/** For error texts: at most five holders, and how many more. */
export function holdersText(holders: readonly Holder[]): string {
  if (holders.length === 0) return 'a holder that /proc does not show';
  const shown = holders.slice(0, 5).map(holderSentence).join('; ');
  return holders.length > 5 ? `${shown}; and ${holders.length - 5} more` : shown;
}

interface MountSearch {
  readonly text: string;
  readonly matches: (mount: MountInfo) => boolean;
}

function mountSearch(thing: HeldThing): MountSearch {
  switch (thing.kind) {
    case 'device':
      return {
        text: ` ${thing.major}:${thing.minor} `,
        matches: (mount) => mount.major === thing.major && mount.minor === thing.minor,
      };
    case 'overlay':
      return {
        text: thing.option,
        matches: (mount) => mount.type === 'overlay' && mount.superOptions.includes(thing.option),
      };
    case 'folder':
      return folderSearch(thing.path);
    default:
      return thing satisfies never;
  }
}

// A bind shows the folder as its root, written relative to the file system it is on.
function folderSearch(path: string): MountSearch {
  const cover = coveringMount(readMountInfo('self'), path);
  if (!cover) return { text: escapeMountPath(path), matches: () => false };
  const relative = cover.mountPoint === '/' ? path : path.slice(cover.mountPoint.length);
  const root = cover.root === '/' ? relative || '/' : cover.root + relative;
  return {
    text: escapeMountPath(root),
    matches: (mount) =>
      mount.major === cover.major && mount.minor === cover.minor && isWithin(mount.root, root),
  };
}

type Pinned = (path: string) => boolean;

// `stat` through the magic link works for files that no path leads to any more (a detached mount, a deleted file).
function deviceTest({ major, minor }: { readonly major: number; readonly minor: number }): Pinned {
  const device = Number(makeDevice(major, minor));
  return (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat !== undefined && (stat.dev === device || (stat.isBlockDevice() && stat.rdev === device));
  };
}

function folderTest(folder: string): Pinned {
  return (path) => {
    const target = path.startsWith('/proc/') ? readlinkSync(path) : path;
    return isWithin(target, folder);
  };
}

function openFiles(pid: number, pinned: Pinned): Holder[] {
  const found: Holder[] = [];
  const look = (how: 'cwd' | 'root' | 'exe' | 'fd' | 'map', link: string) => {
    try {
      // Sockets, pipes and anonymous files cannot be on it, and a stat of each would cost the most.
      const target = readlinkSync(link);
      if (target.startsWith('/') && pinned(link)) found.push(holder(pid, how, target));
    } catch {}
  };
  for (const how of ['cwd', 'root', 'exe'] as const) look(how, `/proc/${pid}/${how}`);
  for (const fd of list(`/proc/${pid}/fd`)) look('fd', `/proc/${pid}/fd/${fd}`);
  for (const range of list(`/proc/${pid}/map_files`)) look('map', `/proc/${pid}/map_files/${range}`);
  return found;
}

function swaps(pinned: Pinned): Holder[] {
  return read('/proc/swaps')
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/)[0] ?? '')
    .filter((path) => path !== '' && attempt(() => pinned(path)))
    .map((path) => kernelHolder('swap', path));
}

function loopDevices(pinned: Pinned): Holder[] {
  return list('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .filter((name) => {
      const file = read(`/sys/block/${name}/loop/backing_file`).trimEnd();
      return file !== '' && attempt(() => pinned(file));
    })
    .map((name) => kernelHolder('loop', `/dev/${name}`));
}

function stackedDevices({ major, minor }: { readonly major: number; readonly minor: number }): Holder[] {
  return list(`/sys/dev/block/${major}:${minor}/holders`).map((name) => {
    const mapped = read(`/sys/block/${name}/dm/name`).trim();
    return kernelHolder('device', mapped || name);
  });
}

function holder(
  pid: number,
  how: Holder['how'],
  path: string,
  mountNamespace: number | undefined = mountNamespaceOf(pid),
): Holder {
  return { pid, comm: read(`/proc/${pid}/comm`).trim() || 'gone', mountNamespace, how, path };
}

function kernelHolder(how: Holder['how'], path: string): Holder {
  return { pid: 0, comm: 'kernel', mountNamespace: undefined, how, path };
}

function unique(holders: readonly Holder[]): readonly Holder[] {
  const keys = new Set<string>();
  return holders.filter(({ pid, how, path }) => {
    const key = `${pid} ${how} ${path}`;
    return !keys.has(key) && keys.add(key);
  });
}

function list(path: string): readonly string[] {
  return attempt(() => readdirSync(path)) || [];
}

function read(path: string): string {
  return attempt(() => readFileSync(path, 'utf8')) || '';
}

// Processes come and go while they are looked at: what cannot be read any more holds nothing.
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
