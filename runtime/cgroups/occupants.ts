import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readValue, writeValue } from './files.ts';
import type { Hierarchy } from './hierarchies.ts';

/** Where a daemon goes that is in the way of its containers. */
const ownLeaf = 'hull-daemon';

/**
 * Processes of a v2 group itself, for whose sake it cannot give its children controllers (no-internal-process rule of cgroups(7)). None in the
 * hierarchy's own root, which is free of the rule and has no `cgroup.type`; that of a cgroup namespace is not.
 */
export function occupants(folder: string): readonly number[] {
  const type = readValue(join(folder, 'cgroup.type'));
  if (type === undefined) return [];
  const file = type === 'threaded' ? 'cgroup.threads' : 'cgroup.procs';
  return (readValue(join(folder, file)) ?? '').split('\n').filter(Boolean).map(Number);
}

/** `4711 (sleep), 4712 (sh)` */
export function occupantNames(pids: readonly number[]): string {
  const names = pids.slice(0, 10).map((pid) => `${pid} (${readValue(`/proc/${pid}/comm`) ?? 'gone'})`);
  return [...names, ...(pids.length > 10 ? [`and ${pids.length - 10} more`] : [])].join(', ');
}

/** What `leaveParents` has done or could not do, for the log. */
export interface Leaving {
  /** Below the hierarchy's root; '' is that. */
  readonly group: string;
  /** Where this process is now; undefined where it stays, as others are in the group as well, whom it does not move. */
  readonly movedTo?: string;
  readonly others: string;
}

/**
 * A daemon that sits in a v2 group above those of its containers, as the unit's own of `Delegate=yes` or the root of what a container sees,
 * moves into a leaf below that. Undefined where it sits somewhere else.
 */
export function leaveParents(hierarchies: readonly Hierarchy[], parent: string): Leaving | undefined {
  const names = parent.split('/').filter((name) => name !== '');
  const groups = ['', ...names.map((_, index) => names.slice(0, index + 1).join('/'))];
  const v2 = hierarchies.find(({ version }) => version === 2);
  for (const group of v2 ? groups : []) {
    const folder = join(v2?.root ?? '', group);
    const inside = occupants(folder);
    if (!inside.includes(process.pid)) continue;
    const others = inside.filter((pid) => pid !== process.pid);
    if (others.length > 0) return { group, others: occupantNames(others) };
    mkdirSync(join(folder, ownLeaf), { recursive: true });
    writeValue(join(folder, ownLeaf, 'cgroup.procs'), String(process.pid));
    return { group, movedTo: join(group, ownLeaf), others: '' };
  }
  return undefined;
}
