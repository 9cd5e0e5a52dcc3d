import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { findHierarchies, type Hierarchy } from '../cgroups/hierarchies.ts';
import type { CgroupFolder } from '../launch/cgroup-mount-steps.ts';

/** What a mount of type cgroup shows to a container that stays in our cgroups: these. None where the host has only version 2. */
export async function ownCgroups(): Promise<readonly CgroupFolder[]> {
  // Without any there is nothing to show either.
  const hierarchies = await findHierarchies().catch(() => []);
  if (!hierarchies.some(({ version }) => version === 1)) return [];
  const lines = readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n');
  return hierarchies.map((hierarchy) => {
    const { root } = hierarchy;
    const own = join(root, pathIn(lines, hierarchy));
    return { name: basename(root), path: existsSync(own) ? own : root };
  });
}

// cgroups(7): number:controllers:path
function pathIn(lines: readonly string[], { version, controllers }: Hierarchy): string {
  const found = lines
    .map((line) => /^\d+:([^:]*):(.*)$/.exec(line))
    .find((line) =>
      version === 2 ? line?.[1] === '' : line?.[1]?.split(',').includes(controllers[0] ?? ''),
    );
  return found?.[2] ?? '/';
}
