import { readdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf } from '../base/errors.ts';
import { ifGone, readValue } from './files.ts';
import type { Hierarchy } from './hierarchies.ts';

/** Names of the groups directly in a group's folder; undefined where it does not exist. */
export function childGroups(folder: string): readonly string[] | undefined {
  const entries = ifGone(() => readdirSync(folder, { withFileTypes: true }));
  return entries?.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** Folders of a group and all below it, the deepest first; none where it does not exist. */
export function groupAndBelow(folder: string): readonly string[] {
  // Two links and one for each folder in it: most groups have none, and it is not listed.
  const links = statSync(folder, { throwIfNoEntry: false })?.nlink;
  if (links === 2) return [folder];
  const names = childGroups(folder);
  return names === undefined ? [] : [...names.flatMap((name) => groupAndBelow(join(folder, name))), folder];
}

/** Process ids of a group and all below it, over all hierarchies; a process in another pid namespace (0) is left out. */
export function processesIn(hierarchies: readonly Hierarchy[], path: string): readonly number[] {
  const folders = hierarchies.flatMap(({ root }) => groupAndBelow(join(root, path)));
  return [...new Set(folders.flatMap(processesOf))].filter((pid) => pid > 0);
}

function processesOf(folder: string): readonly number[] {
  try {
    const text = readValue(join(folder, 'cgroup.procs'));
    return text ? text.split('\n').map(Number) : [];
  } catch (error) {
    // A threaded v2 group: its processes are listed by the domain above it.
    if (codeOf(error) === 'EOPNOTSUPP' || codeOf(error) === 'ENOTSUP') return [];
    throw error;
  }
}

/** One attempt to remove a group and all below it; answers the folders that the kernel still calls busy. */
export function removeTree(folder: string): readonly string[] {
  if (removeFolder(folder)) return [];
  return groupAndBelow(folder).filter((each) => !removeFolder(each));
}

/**
 * Of a parent that hull makes: the sticky bit says so, in the same call. One that was there before, with limits of its owner's perhaps,
 * stays when its last container goes.
 */
export const ownParentMode = 0o1755;

/** Removes the groups above `path` that hull has made and that are empty now. */
export function removeEmptyParents({ root }: Hierarchy, path: string): void {
  for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) {
    const folder = join(root, parent);
    const mode = statSync(folder, { throwIfNoEntry: false })?.mode;
    if (mode !== undefined && ((mode & 0o1000) === 0 || !removeFolder(folder))) return;
  }
}

/** False while the kernel says EBUSY (processes) or ENOTEMPTY (groups). */
function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    if (code !== 'ENOENT') throw error;
  }
  return true;
}
