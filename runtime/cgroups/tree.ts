import { readdir, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, ifExists } from '../base/errors.ts';
import { ifGone, readValue } from './files.ts';
import type { Hierarchy } from './hierarchies.ts';

/** Names of the groups directly in a group's folder. */
export async function childGroups(folder: string): Promise<readonly string[]> {
  const entries = (await ifGone(ifExists(readdir(folder, { withFileTypes: true })))) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** Folders of a group and all below it, the deepest first; none where it does not exist. */
export async function groupAndBelow(folder: string): Promise<readonly string[]> {
  const names = (await ifGone(readdir(folder, { withFileTypes: true }))) ?? undefined;
  if (names === undefined) return [];
  const below = names
    .filter((entry) => entry.isDirectory())
    .map((entry) => groupAndBelow(join(folder, entry.name)));
  return [...(await Promise.all(below)).flat(), folder];
}

/** Process ids of a group and all below it, over all hierarchies; a process in another pid namespace (0) is left out. */
export async function processesIn(
  hierarchies: readonly Hierarchy[],
  path: string,
): Promise<readonly number[]> {
  const lists = await Promise.all(
    hierarchies.map(async ({ root }) => {
      const folders = await groupAndBelow(join(root, path));
      return (await Promise.all(folders.map(processesOf))).flat();
    }),
  );
  return [...new Set(lists.flat())].filter((pid) => pid > 0);
}

async function processesOf(folder: string): Promise<readonly number[]> {
  try {
    const text = await readValue(join(folder, 'cgroup.procs'));
    return text ? text.split('\n').map(Number) : [];
  } catch (error) {
    // A threaded v2 group: its processes are listed by the domain above it.
    if (codeOf(error) === 'EOPNOTSUPP') return [];
    throw error;
  }
}

/** One attempt to remove a group and all below it; answers the folders that the kernel still calls busy. */
export async function removeTree(folder: string): Promise<readonly string[]> {
  const busy: string[] = [];
  for (const each of await groupAndBelow(folder)) {
    if (!(await removeFolder(each))) busy.push(each);
  }
  return busy;
}

/** Removes the groups above `path` that are empty now. */
export async function removeEmptyParents({ root }: Hierarchy, path: string): Promise<void> {
  for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
    if (!(await removeFolder(join(root, parent)))) return;
  }
}

/** False while the kernel says EBUSY (processes) or ENOTEMPTY (groups). */
async function removeFolder(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    if (code !== 'ENOENT') throw error;
  }
  return true;
}
