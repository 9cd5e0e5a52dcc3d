import { join } from 'node:path';
import { codeOf, HullError } from '../base/errors.ts';
import type { Resources } from '../base/oci.ts';
import { applyDevices } from './devices/apply-devices.ts';
import { readValue, writeLimit } from './files.ts';
import type { Hierarchy } from './hierarchies.ts';
import type { Setting } from './setting.ts';
import { settingsFor } from './settings.ts';

/** Writes the limits of a group that exists. Kinds: `unsupported`, `invalid`, `busy` (a limit below what is used), `not-found`. */
export async function applyLimits(
  hierarchies: readonly Hierarchy[],
  path: string,
  resources: Resources,
): Promise<void> {
  const home = (controller: string) => homeOf(hierarchies, controller);
  const settings = settingsFor(resources, (name) => home(name)?.version, current(home('memory'), path));
  if (resources.devices) applyDevices(hierarchies, path, resources.devices);
  for (const setting of settings) {
    const hierarchy = home(setting.controller);
    if (!hierarchy) continue; // settingsFor has refused those
    try {
      await writeLimit(join(hierarchy.root, path, setting.file), setting.value);
    } catch (error) {
      throw explain(error, setting, hierarchy, path);
    }
  }
}

/** The hierarchy a controller is in: v1 where it is mounted so, else v2. */
export function homeOf(hierarchies: readonly Hierarchy[], controller: string): Hierarchy | undefined {
  return (
    hierarchies.find((each) => each.version === 1 && each.controllers.includes(controller)) ??
    hierarchies.find((each) => each.version === 2 && each.controllers.includes(controller))
  );
}

function current(memory: Hierarchy | undefined, path: string) {
  if (memory?.version !== 1) return {};
  const value = readValue(join(memory.root, path, 'memory.memsw.limit_in_bytes'));
  // The kernel shows "no limit" as the largest page-aligned number, beyond what a double counts exactly.
  return value === undefined || Number(value) > Number.MAX_SAFE_INTEGER
    ? {}
    : { memoryAndSwap: Number(value) };
}

function explain(
  cause: unknown,
  { controller, file, value }: Setting,
  { root, version }: Hierarchy,
  path: string,
): HullError {
  const what = `Cannot set ${file} of cgroup ${JSON.stringify(path)} to ${JSON.stringify(value)}`;
  const code = codeOf(cause);
  if (code !== 'ENOENT') {
    const kind = code === 'EBUSY' ? 'busy' : 'invalid';
    return new HullError(`${what}: found ${code ?? String(cause)}, wanted a value the kernel takes`, {
      kind,
      cause,
    });
  }
  if (readValue(join(root, path, 'cgroup.procs')) === undefined) {
    return new HullError(`${what}: found no such group, wanted it created`, { kind: 'not-found', cause });
  }
  const swap = file.includes('swap') || file.includes('memsw');
  return new HullError(
    `${what}: found no such file, wanted the ${controller} controller of cgroup v${version} to have it`,
    {
      kind: 'unsupported',
      cause,
      ...(swap && { hint: 'Boot with swapaccount=1 (Linux before 6.1) or drop the swap limit.' }),
    },
  );
}
