import { mountNamespaceOf, readMountNamespaces } from './mount-namespaces.ts';
import { coveringMount, escapeMountPath, isWithin, type MountInfo, readMountInfo } from './mountinfo.ts';
import { findOpenHolders } from './open-holders.ts';
import { commandOf } from './process-files.ts';

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
  /** An overlay with this upper folder; `folders` are it and the lower ones, topmost first, on one file system. */
  | { readonly kind: 'overlay'; readonly folders: readonly [upper: string, ...lower: string[]] }
  /** A file system by its type and the source that mountinfo tells; of a union `folders` are its branches. */
  | {
      readonly kind: 'file-system';
      readonly type: string;
      readonly source: string;
      readonly folders?: readonly string[];
    }
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
    return pids.map((pid) => ({
      pid,
      comm: commandOf(pid),
      mountNamespace: namespace.inode,
      how: 'mount',
      path: mount.mountPoint,
    }));
  });
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
      return overlaySearch(thing.folders[0]);
    case 'file-system':
      return {
        text: escapeMountPath(thing.source),
        matches: ({ type, source }) => type === thing.type && source === thing.source,
      };
    case 'folder':
      return folderSearch(thing.path);
    default:
      return thing satisfies never;
  }
}

// The option's commas are written as octal there, so the search is for the part that has none.
function overlaySearch(upper: string): MountSearch {
  return {
    text: upper.split('/').slice(-2).join('/'),
    matches: (mount) => mount.type === 'overlay' && mount.superOptions.includes(`upperdir=${upper}`),
  };
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

function unique(holders: readonly Holder[]): readonly Holder[] {
  const keys = new Set<string>();
  return holders.filter(({ pid, how, path }) => {
    const key = `${pid} ${how} ${path}`;
    return !keys.has(key) && keys.add(key);
  });
}
