import { lstatSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeDevice, splitDevice } from '../sys/mknod.ts';
import type { HeldThing, Holder } from './holders.ts';
import { mountNamespaceOf, processIds, readMountNamespaces } from './mount-namespaces.ts';
import { escapeMountPath, isWithin } from './mountinfo.ts';
import { attempt, commandOf, type ProcessFile, processFiles, readText } from './process-files.ts';

/** `OVERLAYFS_SUPER_MAGIC`, <linux/magic.h>. */
const overlayMagic = 0x794c7630;
/** What statfs(2) tells of file systems that are not part of Linux. */
const foreignMagics: ReadonlyMap<string, number> = new Map([
  ['aufs', 0x61756673],
  ['zfs', 0x2fc12fc1],
]);

/** How a thing is recognized in what processes use. */
interface Recognition {
  readonly file: (file: Pick<ProcessFile, 'link' | 'target'>) => boolean;
  /** A word of /proc/<pid>/maps lines that map it; undefined where those lines do not tell. */
  readonly mapWord: string | undefined;
}

/**
 * Those who hold the thing without a mount: open, current, executed and mapped files, swap, loop devices, devices above. Looks at every
 * descriptor of every process.
 */
export function findOpenHolders(thing: HeldThing): readonly Holder[] {
  const { file, mapWord } = recognition(thing);
  return [
    ...processIds().flatMap((pid) => (pid === process.pid ? [] : holdersIn(pid, file, mapWord))),
    ...swaps(file),
    ...loopDevices(file),
    ...(thing.kind === 'device' ? stackedDevices(thing) : []),
  ];
}

function recognition(thing: HeldThing): Recognition {
  switch (thing.kind) {
    case 'device':
      return onDevice(thing);
    case 'overlay':
      return { file: inDetachedOverlay(thing.folders), mapWord: undefined };
    case 'file-system': {
      const [mount] = readMountNamespaces(escapeMountPath(thing.source)).flatMap(({ mounts }) =>
        mounts.filter(({ type, source }) => type === thing.type && source === thing.source),
      );
      if (mount) return onDevice(mount);
      // Without a mount the kernel tells nobody which device number it has: all that lost theirs are taken for it, of a union
      // those whose path is in one of its branches.
      const detached = isDetached(foreignMagics.get(thing.type));
      const { folders } = thing;
      return { file: (file) => detached(file) && (!folders || isInAny(folders, file)), mapWord: undefined };
    }
    case 'folder':
      return { file: ({ target }) => isWithin(target, thing.path), mapWord: ` ${thing.path}/` };
    default:
      return thing satisfies never;
  }
}

function onDevice({ major, minor }: { readonly major: number; readonly minor: number }): Recognition {
  const device = Number(makeDevice(major, minor));
  const hex = (part: number) => part.toString(16).padStart(2, '0');
  return {
    file: ({ link }) => {
      const stat = statSync(link, { throwIfNoEntry: false });
      return stat !== undefined && (stat.dev === device || (stat.isBlockDevice() && stat.rdev === device));
    },
    mapWord: ` ${hex(major)}:${hex(minor)} `,
  };
}

/**
 * A file of an overlay that no mount table shows any more: its mount namespace is gone, and the open file keeps the
 * overlay, so that its upper folder is still in use. Which overlay it was the kernel does not tell. Overlay
 * keeps inode numbers where all layers are on one file system, so the file is looked for by path and inode in the
 * layers; a file of a common lower layer may also be another container's.
 */
function inDetachedOverlay(folders: readonly string[]): Recognition['file'] {
  const isDetachedOverlay = isDetached(overlayMagic);
  return ({ link, target }) => {
    if (!isDetachedOverlay({ link, target })) return false;
    const inode = statSync(link).ino;
    return folders.some((folder) => fileIn(folder, target)?.ino === inode);
  };
}

const isInAny = (folders: readonly string[], { target }: Pick<ProcessFile, 'target'>): boolean =>
  folders.some((folder) => fileIn(folder, target) !== undefined);

/** What a layer has at the place that an open file tells. */
const fileIn = (folder: string, target: string) =>
  attempt(() => lstatSync(join(folder, target.replace(/ \(deleted\)$/, ''))));

/** Files of a file system without a block device that no mount table shows, by what statfs(2) calls its type. */
function isDetached(magic: number | undefined): Recognition['file'] {
  const visible = new Set(
    readMountNamespaces().flatMap(({ mounts }) => mounts.map(({ major, minor }) => `${major}:${minor}`)),
  );
  return ({ link }) => {
    const stat = statSync(link, { throwIfNoEntry: false });
    if (!stat) return false;
    const { major, minor } = splitDevice(stat.dev);
    return major === 0 && !visible.has(`${major}:${minor}`) && statfsSync(link).type === magic;
  };
}

function holdersIn(
  pid: number,
  matches: Recognition['file'],
  mapWord: string | undefined,
): readonly Holder[] {
  const found: Pick<Holder, 'how' | 'path'>[] = processFiles(pid)
    .filter((file) => attempt(() => matches(file)))
    .map(({ how, target }) => ({ how, path: target }));
  if (found.length === 0 && mapWord !== undefined) {
    const maps = readText(`/proc/${pid}/maps`);
    const line = maps.includes(mapWord) ? maps.split('\n').find((text) => text.includes(mapWord)) : undefined;
    if (line) found.push({ how: 'map', path: line.slice(line.indexOf('/')) });
  }
  if (found.length === 0) return [];
  const [comm, mountNamespace] = [commandOf(pid), mountNamespaceOf(pid)];
  return found.map(({ how, path }) => ({ pid, comm, mountNamespace, how, path }));
}

function swaps(matches: Recognition['file']): readonly Holder[] {
  return readText('/proc/swaps')
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/)[0] ?? '')
    .filter((path) => path.startsWith('/') && attempt(() => matches({ link: path, target: path })))
    .map((path) => heldByKernel('swap', path));
}

function loopDevices(matches: Recognition['file']): readonly Holder[] {
  return (attempt(() => readdirSync('/sys/block')) ?? [])
    .filter((name) => name.startsWith('loop'))
    .filter((name) => {
      const path = readText(`/sys/block/${name}/loop/backing_file`).trimEnd();
      return path !== '' && attempt(() => matches({ link: path, target: path }));
    })
    .map((name) => heldByKernel('loop', `/dev/${name}`));
}

function stackedDevices({
  major,
  minor,
}: {
  readonly major: number;
  readonly minor: number;
}): readonly Holder[] {
  const names = attempt(() => readdirSync(`/sys/dev/block/${major}:${minor}/holders`)) ?? [];
  return names.map((name) => heldByKernel('device', readText(`/sys/block/${name}/dm/name`).trim() || name));
}

function heldByKernel(how: Holder['how'], path: string): Holder {
  return { pid: 0, comm: 'kernel', mountNamespace: undefined, how, path };
}
