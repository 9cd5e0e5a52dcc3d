import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { homeOf } from './apply-limits.ts';
import type { CgroupFeatures } from './cgroup.ts';
import { readValue } from './files.ts';
import type { Hierarchy } from './hierarchies.ts';
import { childGroups } from './tree.ts';

/**
 * What the kernel can limit, told by the files that groups have. v2's root has none of them, so a group below it is looked at.
 * @returns undefined where no group has the v2 controllers yet: then the caller makes one and asks again.
 */
export function readFeatures(hierarchies: readonly Hierarchy[]): CgroupFeatures | undefined {
  const v2 = hierarchies.find(({ version }) => version === 2);
  const mine = ['memory', 'cpu', 'pids'].filter((name) => homeOf(hierarchies, name) === v2 && v2);
  const asksV2 = mine.length > 0 || homeOf(hierarchies, 'freezer') === undefined;
  const sample = v2 && asksV2 ? sampleGroup(v2.root, mine) : undefined;
  if (v2 && asksV2 && sample === undefined) return undefined;
  const has = (controller: string, v1: string, inV2?: string): boolean => {
    const home = homeOf(hierarchies, controller);
    if (home?.version === 1) return existsSync(join(home.root, v1));
    return home !== undefined && inV2 !== undefined && existsSync(join(sample ?? '', inV2));
  };
  return {
    memoryLimit: homeOf(hierarchies, 'memory') !== undefined,
    swapLimit: has('memory', 'memory.memsw.limit_in_bytes', 'memory.swap.max'),
    memoryReservation: has('memory', 'memory.soft_limit_in_bytes', 'memory.low'),
    swappiness: has('memory', 'memory.swappiness'),
    oomKillDisable: has('memory', 'memory.oom_control'),
    cpuShares: has('cpu', 'cpu.shares', 'cpu.weight'),
    cpuQuota: has('cpu', 'cpu.cfs_quota_us', 'cpu.max'),
    cpuset: homeOf(hierarchies, 'cpuset') !== undefined,
    blkioWeight:
      has('blkio', 'blkio.weight') ||
      has('blkio', 'blkio.bfq.weight') ||
      // Groups show io's files only where it is enabled; the cost model, which brings io.weight, shows at the root.
      (homeOf(hierarchies, 'io') !== undefined && existsSync(join(v2?.root ?? '', 'io.cost.qos'))) ||
      has('io', '', 'io.bfq.weight'),
    blkioThrottle: has('blkio', 'blkio.throttle.read_bps_device') || homeOf(hierarchies, 'io') !== undefined,
    cpuRealtime: has('cpu', 'cpu.rt_runtime_us'),
    pidsLimit: homeOf(hierarchies, 'pids') !== undefined,
    freezer:
      homeOf(hierarchies, 'freezer') !== undefined ||
      (sample !== undefined && existsSync(join(sample, 'cgroup.freeze'))),
  };
}

/** A group directly below v2's root that has all these controllers: on a systemd host there always is one. */
function sampleGroup(root: string, controllers: readonly string[]): string | undefined {
  return childGroups(root)
    ?.map((name) => join(root, name))
    .find((folder) => {
      const has = new Set(readValue(join(folder, 'cgroup.controllers'))?.split(' '));
      return controllers.every((name) => has.has(name));
    });
}
