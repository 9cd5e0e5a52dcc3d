import { closeSync, lstatSync, openSync } from 'node:fs';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../base/atomic-file.ts';
import { copyTree, lookOf } from '../images/copy-tree.ts';
import { TreeFolder } from '../images/tar-writing/tree-folder.ts';
import { removeTree } from '../storage/remove-tree.ts';
import { syncFileSystem } from '../sys/raw-path.ts';

/**
 * # Copy-up
 *
 * An empty volume gets what the image has at its mount point. The copy is made beside the volume's files (`.hull-filling`) and renamed when
 * it is whole and on the disk (`.hull-filled`); then each of its entries is moved to where it belongs. A crash before that
 * rename leaves something to throw away, a crash after it something to finish: `settle` does both, so a part is never taken for the
 * whole. The volume's folder stays the same folder, which a running container may have mounted.
 */
export interface FillPlace {
  /** The volume's files. */
  readonly data: string;
  /** A folder of the same file system for the copy in the making. */
  readonly beside: string;
}

const filling = '.hull-filling';
const filled = '.hull-filled';

/** Whether the volume has no files yet. Finishes or throws away first what a crash has left. */
export async function isEmptyVolume(place: FillPlace): Promise<boolean> {
  await settle(place);
  return (await readdir(place.data)).length === 0;
}

/** Afterwards the empty volume has all that is in the folder, and looks like it. Answers what could not be copied, in lines. */
export async function fillVolume(place: FillPlace, source: TreeFolder): Promise<readonly string[]> {
  // Nothing can be cut off: what the folder is like is all there is.
  if (source.names().length === 0) {
    lookOf(source)(place.data);
    return [];
  }
  const copy = join(place.beside, filling);
  await mkdir(copy, { mode: 0o700 });
  try {
    const left = await copyTree(source, copy);
    flush(copy);
    await rename(copy, join(place.beside, filled));
    await syncFolder(place.beside);
    await settle(place);
    return left;
  } catch (error) {
    await removeTree(copy);
    throw error;
  }
}

async function settle({ data, beside }: FillPlace): Promise<void> {
  const part = join(beside, filling);
  if (isThere(part)) await removeTree(part);
  const copy = join(beside, filled);
  if (!isThere(copy)) return;
  // Before the moves change its time.
  using folder = TreeFolder.root(copy);
  const dress = lookOf(folder);
  for (const name of await readdir(copy, { encoding: 'buffer' })) {
    const [from, to] = [below(copy, name), below(data, name)];
    // Somebody in the volume was faster with this name: theirs counts.
    if (!isThere(to)) await rename(from, to);
  }
  dress(data);
  await syncFolder(data);
  await removeTree(copy);
}

/** The rename that follows says "whole", and must not outlive a power cut that the files do not. */
function flush(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    syncFileSystem(fd);
  } finally {
    closeSync(fd);
  }
}

const isThere = (path: string | Buffer): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
// Names are bytes: an image may have ones that are no UTF-8.
const below = (folder: string, name: Buffer): Buffer => Buffer.concat([Buffer.from(`${folder}/`), name]);
