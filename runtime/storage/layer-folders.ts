import { chmodSync, chownSync, existsSync, lstatSync, renameSync, utimesSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isSmallTree } from '../base/small-tree.ts';
import { syncFileSystem } from '../sys/raw-path.ts';
import { getXattr, listXattrs, setXattr } from '../sys/xattr.ts';
import { removeTree } from './remove-tree.ts';

/** Afterwards neither folder is there. The first move makes it all or nothing: a half-deleted layer is never in its place. */
export async function removeGoner(folder: string, goner: string): Promise<void> {
  if (existsSync(folder)) renameSync(folder, goner);
  await removeTree(goner);
}

/** The same, with what is small moved aside only: the answer removes it. */
export async function moveAside(folder: string, goner: string): Promise<(() => Promise<void>) | void> {
  if (existsSync(folder)) renameSync(folder, goner);
  if (existsSync(goner) && isSmallTree(goner)) return () => removeTree(goner);
  await removeTree(goner);
}

/**
 * Removes what a crash left in `removing`, and folders in `layers` that no record names. One sentence for each; what cannot
 * be removed now is said and stays for the next start.
 */
export async function sweepFolders(
  layers: string,
  removing: string,
  known: ReadonlySet<string>,
): Promise<readonly string[]> {
  const goners = [
    ...(await readdir(removing)).map((name) => join(removing, name)),
    ...(await readdir(layers)).filter((name) => !known.has(name)).map((name) => join(layers, name)),
  ];
  const did: string[] = [];
  for (const path of goners) {
    try {
      await removeTree(path);
      did.push(`Removed ${path}, which no layer record names.`);
    } catch (error) {
      did.push(error instanceof Error ? error.message : String(error));
    }
  }
  return did;
}

/** Owner, mode, attributes and times of one folder for another: a union's root is that of its topmost layer. */
export function copyFolderAttributes(from: string, to: string): void {
  const { uid, gid, mode, atime, mtime } = lstatSync(from);
  chownSync(to, uid, gid);
  chmodSync(to, mode & 0o7777);
  for (const name of listXattrs(from)) {
    // The kernel's own notes about the parent's place in an overlay are no content.
    if (name.startsWith('trusted.overlay.')) continue;
    const value = getXattr(from, name);
    if (value) setXattr(to, name, value);
  }
  utimesSync(to, atime, mtime);
}

/** Afterwards all that was written to the folder's file system is on the disk. */
export async function syncFileSystemOf(folder: string): Promise<void> {
  await using handle = await open(folder);
  syncFileSystem(handle.fd);
}
