import { readdirSync, statSync } from 'node:fs';
import type { MountTable } from './mounts.ts';
import { readOnce } from './read.ts';
import type { Thing } from './thing.ts';

export interface CgroupHierarchy {
  /** Where it is mounted in the host. */
  readonly root: string;
  readonly version: 1 | 2;
  readonly freezer: boolean;
}

/** Every mounted hierarchy once, also where it is mounted twice (systemd binds `cpu` and `cpuacct` to `cpu,cpuacct`). */
export function cgroupHierarchies(host: MountTable | undefined): CgroupHierarchy[] {
  const byDevice = new Map<string, CgroupHierarchy>();
  for (const { type, device, target, root, superOptions } of host?.mounts ?? []) {
    if ((type !== 'cgroup' && type !== 'cgroup2') || root !== '/' || byDevice.has(device)) continue;
    const version = type === 'cgroup' ? 1 : 2;
    const freezer = version === 2 || superOptions.split(',').includes('freezer');
    byDevice.set(device, { root: target, version, freezer });
  }
  return [...byDevice.values()];
}

export function* cgroupThings(hierarchies: readonly CgroupHierarchy[]): Generator<Thing> {
  for (const hierarchy of hierarchies) yield* below(hierarchy, hierarchy.root);
}

function* below(hierarchy: CgroupHierarchy, folder: string): Generator<Thing> {
  for (const path of childFolders(folder)) {
    yield { kind: 'cgroup', id: path, like: path, what: path };
    if (hierarchy.freezer && isFrozen(hierarchy, path))
      yield { kind: 'frozen-cgroup', id: path, like: path, what: path };
    yield* below(hierarchy, path);
  }
}

/** The link count of a cgroup folder is 2 plus its children: one stat spares reading a leaf's 40 entries. */
function childFolders(folder: string): string[] {
  try {
    if (statSync(folder).nlink === 2) return [];
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${folder}/${entry.name}`);
  } catch {
    return [];
  }
}

function isFrozen({ version }: CgroupHierarchy, path: string): boolean {
  const state = readOnce(version === 1 ? `${path}/freezer.state` : `${path}/cgroup.freeze`)?.trim();
  return state === '1' || state === 'FROZEN' || state === 'FREEZING';
}

/** Pids in a cgroup folder and everything below it. */
export function pidsIn(folder: string): number[] {
  const own = (readOnce(`${folder}/cgroup.procs`) ?? '').split('\n').filter((line) => line !== '');
  const children = childFolders(folder);
  return [...own.map(Number), ...children.flatMap(pidsIn)];
}
