import type { TreeEntry } from '../images/tar-writing/tree-entry.ts';

/** What hull itself mounts in every container, as it looks where nothing is mounted on it. */
const files: ReadonlySet<string> = new Set(['etc/hostname', 'etc/hosts', 'etc/resolv.conf']);
const folders: ReadonlySet<string> = new Set(['dev', 'proc', 'sys', 'etc']);

/**
 * Whether a file that the image does not have is only a place that was made to mount something on: an empty file or folder. Docker keeps
 * these in a layer of their own, so they are in no diff and no committed image.
 */
export function isMountPoint({ path, stat, folder, name }: TreeEntry): boolean {
  if (files.has(path)) return stat.isFile() && stat.size === 0n;
  if (!folders.has(path) || !stat.isDirectory()) return false;
  using inner = folder.enter(name);
  return inner?.names().every((each) => isEmptyFile(`${path}/${each}`, inner.stat(each))) ?? false;
}

const isEmptyFile = (path: string, stat: TreeEntry['stat'] | undefined): boolean =>
  files.has(path) && stat?.isFile() === true && stat.size === 0n;
