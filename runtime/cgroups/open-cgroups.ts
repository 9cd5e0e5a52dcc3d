import { join } from 'node:path';
import { Cleanup } from '../base/cleanup.ts';
import { HullError } from '../base/errors.ts';
import type { Resources } from '../base/oci.ts';
import { applyLimits, controllersOf } from './apply-limits.ts';
import type { BegunCgroup, Cgroup, CgroupFeatures, CgroupManager } from './cgroup.ts';
import { readFeatures } from './features.ts';
import { type CgroupWaits, defaultWaits, HostCgroup } from './group.ts';
import { findHierarchies, type Hierarchy } from './hierarchies.ts';
import { makeGroup } from './make-group.ts';
import { type Leaving, leaveParents } from './occupants.ts';
import { describeProcesses } from './processes.ts';
import { childGroups } from './tree.ts';

export interface CgroupOptions {
  readonly waits?: Partial<CgroupWaits>;
  /** Instead of the host's own: for tests of one hierarchy. */
  readonly hierarchies?: readonly Hierarchy[];
}

/** Finds the host's hierarchies. Kind `unsupported` where none is mounted. */
export async function openCgroups(options: CgroupOptions = {}): Promise<CgroupManager> {
  const hierarchies = options.hierarchies ?? (await findHierarchies());
  return new HostCgroups(hierarchies, { ...defaultWaits, ...options.waits });
}

class HostCgroups implements CgroupManager {
  readonly mode: 'v1' | 'v2' | 'hybrid';
  readonly driver = 'cgroupfs';
  readonly #hierarchies: readonly Hierarchy[];
  readonly #waits: CgroupWaits;
  #features: Promise<CgroupFeatures> | undefined;

  constructor(hierarchies: readonly Hierarchy[], waits: CgroupWaits) {
    this.#hierarchies = hierarchies;
    this.#waits = waits;
    const has = (version: 1 | 2) => hierarchies.some((each) => each.version === version);
    this.mode = has(1) ? (has(2) ? 'hybrid' : 'v1') : 'v2';
  }

  open(path: string): HostCgroup {
    checkPath(path);
    return new HostCgroup(path, this.#hierarchies, this.#waits);
  }

  /** From the root of each hierarchy, whether the parent begins with a slash or not. */
  pathOf(daemonParent: string, id: string, parent = ''): string {
    const names = (parent || daemonParent).split('/').filter((name) => name !== '' && name !== '.');
    return [...names, id].join('/');
  }

  async create(path: string, resources: Resources): Promise<Cgroup> {
    return await finishOrRemove(await this.begin(path, resources));
  }

  async begin(path: string, resources: Resources): Promise<BegunCgroup> {
    const group = this.open(path);
    if (await group.exists()) {
      await refuseInUse(group);
      await group.remove(); // what a crash left has limits of its own
    }
    return await this.#begin(group, resources);
  }

  async take(
    path: string,
    resources: Resources,
  ): Promise<{ readonly group: Cgroup; readonly found: number }> {
    const group = this.open(path);
    if (!(await group.exists())) {
      return { group: await finishOrRemove(await this.#begin(group, resources)), found: 0 };
    }
    await refuseFrozen(group);
    const found = (await group.pids()).length;
    const wanted = controllersOf(this.#hierarchies, resources);
    for (const hierarchy of this.#hierarchies) makeGroup(hierarchy, path, wanted);
    await applyLimits(this.#hierarchies, path, resources);
    return { group, found };
  }

  async #begin(group: HostCgroup, resources: Resources): Promise<BegunCgroup> {
    const wanted = controllersOf(this.#hierarchies, resources);
    const make = (version: 1 | 2) => {
      for (const hierarchy of this.#hierarchies)
        if (hierarchy.version === version) makeGroup(hierarchy, group.path, wanted);
    };
    await using undo = new Cleanup();
    undo.push(() => group.remove());
    make(2);
    undo.commit();
    const finish = async () => {
      make(1);
      await applyLimits(this.#hierarchies, group.path, resources);
    };
    return { group, finish };
  }

  leaveParents(parent: string): Leaving | undefined {
    return leaveParents(this.#hierarchies, parent);
  }

  logMark(): undefined {
    return undefined;
  }

  async list(parent: string): Promise<readonly string[]> {
    checkPath(parent);
    const names = this.#hierarchies.flatMap(({ root }) => childGroups(join(root, parent)) ?? []);
    return [...new Set(names)].sort().map((name) => `${parent}/${name}`);
  }

  features(): Promise<CgroupFeatures> {
    this.#features ??= this.#look().catch((error) => {
      this.#features = undefined;
      throw error;
    });
    return this.#features;
  }

  async #look(): Promise<CgroupFeatures> {
    const found = readFeatures(this.#hierarchies);
    if (found) return found;
    // The name is the same each time, so that a crash here is made good by the next daemon that asks.
    const group = await this.create('hull-probe', {});
    await using undo = new Cleanup();
    undo.push(() => group.remove());
    const now = readFeatures(this.#hierarchies);
    if (now) return now;
    throw new HullError(
      'Cannot tell what cgroups can limit: found no v2 controller enabled below the root, wanted memory, cpu and pids',
      {
        kind: 'unsupported',
      },
    );
  }
}

async function finishOrRemove({ group, finish }: BegunCgroup): Promise<Cgroup> {
  await using undo = new Cleanup();
  undo.push(() => group.remove());
  await finish();
  undo.commit();
  return group;
}

/** A group somebody else lives in, or that would freeze whoever enters it, is not ours to take. */
async function refuseInUse(group: HostCgroup): Promise<void> {
  const pids = await group.pids();
  const name = JSON.stringify(group.path);
  if (pids.length > 0) {
    throw new HullError(
      `Cannot create cgroup ${name}: found processes in it, ${await describeProcesses(pids)}; wanted none`,
      {
        kind: 'conflict',
      },
    );
  }
  await refuseFrozen(group);
}

/** Who enters it would stand still. */
export async function refuseFrozen(group: HostCgroup): Promise<void> {
  if (!(await group.frozen())) return;
  throw new HullError(
    `Cannot create cgroup ${JSON.stringify(group.path)}: found it frozen, wanted it absent or thawed (container's cgroup unexpectedly frozen)`,
    { kind: 'conflict' },
  );
}

function checkPath(path: string): void {
  const names = path.split('/');
  const bad = names.find((name) => name === '' || name === '.' || name === '..' || /[\0\n]/.test(name));
  if (bad === undefined && path.length <= 1024) return;
  throw new HullError(
    `Cannot use cgroup path ${JSON.stringify(path)}: found ${bad === undefined ? `${path.length} characters` : JSON.stringify(bad)}, wanted relative names like "hull/<id>"`,
    { kind: 'invalid' },
  );
}
