import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, HullError } from '../base/errors.ts';
import type { Resources } from '../base/oci.ts';
import { applyDevices } from './devices/apply-devices.ts';
import { readValue, writeLimit } from './files.ts';
import type { Hierarchy } from './hierarchies.ts';
import type { CurrentLimits, Setting } from './setting.ts';
import { settingsFor } from './settings.ts';

/**
 * Writes the limits of a group that exists; on an error those it had are written back. Kinds: `unsupported`, `invalid`,
 * `busy` (a limit below what is used), `not-found`.
 */
export async function applyLimits(
  hierarchies: readonly Hierarchy[],
  path: string,
  resources: Resources,
): Promise<void> {
  checkUsage(homeOf(hierarchies, 'memory'), path, resources);
  const current = resources.memory || resources.cpu ? currentOf(hierarchies, path) : {};
  const settings = settingsOf(hierarchies, resources, current);
  const undo: (readonly [file: string, value: string])[] = [];
  try {
    await writeAll(
      settings.flatMap((setting) => {
        const hierarchy = homeOf(hierarchies, setting.controller, setting.file);
        return hierarchy ? [{ setting, hierarchy, folder: join(hierarchy.root, path) }] : [];
      }),
      undo,
    );
    if (resources.devices) applyDevices(hierarchies, path, resources.devices);
  } catch (error) {
    for (const [file, value] of undo.reverse()) await writeLimit(file, value).catch(() => undefined);
    throw error;
  }
}

/** Names of the controllers that these limits need. Kinds as `applyLimits`. */
export function controllersOf(
  hierarchies: readonly Hierarchy[],
  resources: Resources,
  current: CurrentLimits = {},
): ReadonlySet<string> {
  return new Set(settingsOf(hierarchies, resources, current).map(({ controller }) => controller));
}

/** All writes that these limits are, in order. Kinds as `applyLimits`. */
export function settingsOf(
  hierarchies: readonly Hierarchy[],
  resources: Resources,
  current: CurrentLimits,
): readonly Setting[] {
  return settingsFor(resources, (name) => homeOf(hierarchies, name)?.version, current);
}

interface Write {
  readonly setting: Setting;
  readonly hierarchy: Hierarchy;
  readonly folder: string;
}

/**
 * What the kernel refuses because of another limit that is still the old one (a quota and its period, a burst, memory
 * plus swap) is tried again after the others, as long as that gets further.
 */
async function writeAll(writes: readonly Write[], undo: (readonly [string, string])[]): Promise<void> {
  let left = writes;
  for (;;) {
    const refused: { readonly write: Write; readonly error: unknown }[] = [];
    for (const write of left) {
      const file = fileOf(write);
      if (file === undefined) continue;
      const before = readValue(file.path);
      try {
        await writeLimit(file.path, file.value);
        // Files of one value can be written back; those of a line per device cannot as simply.
        if (before && !before.includes('\n')) undo.push([file.path, before]);
      } catch (error) {
        if (codeOf(error) !== 'EINVAL' && codeOf(error) !== 'EBUSY') throw explain(error, write);
        refused.push({ write, error });
      }
    }
    const [first] = refused;
    if (!first) return;
    if (refused.length === left.length || left.length === 1) throw explain(first.error, first.write);
    left = refused.map(({ write }) => write);
  }
}

/** The file that this kernel has; undefined where none is needed. */
function fileOf({ setting, folder }: Write): { readonly path: string; readonly value: string } | undefined {
  const path = join(folder, setting.file);
  if (!setting.otherwise && !setting.optional) return { path, value: setting.value };
  if (existsSync(path)) return { path, value: setting.value };
  if (setting.otherwise)
    return { path: join(folder, setting.otherwise.file), value: setting.otherwise.value };
  return undefined;
}

/** The hierarchy a controller is in: v1 where it is mounted so, else v2. Files `cgroup.*` of the unified map are v2's own. */
export function homeOf(
  hierarchies: readonly Hierarchy[],
  controller: string,
  file?: string,
): Hierarchy | undefined {
  if (file?.startsWith('cgroup.')) return hierarchies.find(({ version }) => version === 2);
  return (
    hierarchies.find((each) => each.version === 1 && each.controllers.includes(controller)) ??
    hierarchies.find((each) => each.version === 2 && each.controllers.includes(controller))
  );
}

/** What the group has now, as far as new limits depend on it. */
export function currentOf(hierarchies: readonly Hierarchy[], path: string): CurrentLimits {
  const [memory, cpu] = [homeOf(hierarchies, 'memory'), homeOf(hierarchies, 'cpu')];
  const read = (home: Hierarchy | undefined, version: 1 | 2, file: string) =>
    home?.version === version ? readValue(join(home.root, path, file)) : undefined;
  const memoryAndSwap = limited(read(memory, 1, 'memory.memsw.limit_in_bytes'));
  const limit = limited(read(memory, 1, 'memory.limit_in_bytes') ?? read(memory, 2, 'memory.max'));
  const v1Cpu = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((file) => read(cpu, 1, file));
  const [quota, period] = read(cpu, 2, 'cpu.max')?.split(' ') ?? v1Cpu;
  return {
    ...(memoryAndSwap === undefined ? {} : { memoryAndSwap }),
    ...(limit === undefined ? {} : { memory: limit }),
    ...(quota === undefined ? {} : { quota: quota === 'max' ? -1 : Number(quota) }),
    ...(period === undefined ? {} : { period: Number(period) }),
  };
}

/** v1 shows "no limit" as the largest page-aligned number, beyond what a double counts exactly; v2 as `max`. */
function limited(value: string | undefined): number | undefined {
  return value === undefined || value === 'max' || Number(value) > Number.MAX_SAFE_INTEGER
    ? undefined
    : Number(value);
}

/** `checkBeforeUpdate`: v2 would kill to get below a new limit, v1 refuse it after trying to. */
function checkUsage(home: Hierarchy | undefined, path: string, { memory }: Resources): void {
  if (!home || !memory?.checkBeforeUpdate || !memory.limit || memory.limit < 0) return;
  const file = home.version === 1 ? 'memory.usage_in_bytes' : 'memory.current';
  const usage = Number(readValue(join(home.root, path, file)) ?? 0);
  if (usage <= memory.limit) return;
  throw new HullError(
    `Cannot limit the memory of cgroup ${JSON.stringify(path)}: found ${usage} bytes in use (${file}), wanted at most the new limit of ${memory.limit}`,
    { kind: 'busy' },
  );
}

function explain(cause: unknown, { setting, hierarchy: { root, version }, folder }: Write): HullError {
  const { controller, file, value } = setting;
  const path = folder.slice(root.length + 1);
  const what = `Cannot set ${file} of cgroup ${JSON.stringify(path)} to ${JSON.stringify(value)}`;
  const code = codeOf(cause) ?? '';
  if (code !== 'ENOENT') {
    const kind = code === 'EBUSY' ? 'busy' : 'invalid';
    const reason = reasons[code] ?? 'wanted a value the kernel takes';
    return new HullError(`${what}: found ${code || String(cause)}, ${reason}`, {
      kind,
      cause,
      ...(file.startsWith('cpu.rt_') && {
        hint: 'Every group above it needs a real-time budget as well (cpu.rt_runtime_us).',
      }),
    });
  }
  if (readValue(join(root, path, 'cgroup.procs')) === undefined) {
    return new HullError(`${what}: found no such group, wanted it created`, { kind: 'not-found', cause });
  }
  const hint = hintFor(file);
  const names = setting.otherwise ? `neither it nor ${setting.otherwise.file}` : 'no such file';
  return new HullError(
    `${what}: found ${names}, wanted the ${controller} controller of cgroup v${version} to have it`,
    { kind: 'unsupported', cause, ...(hint === undefined ? {} : { hint }) },
  );
}

const reasons: Readonly<Record<string, string>> = {
  EBUSY: 'as more is used than that; wanted a higher limit',
  ENODEV: 'wanted a device that exists',
  ENXIO: 'wanted a device that exists',
  ERANGE: 'wanted a value in the range the kernel takes',
};

function hintFor(file: string): string | undefined {
  if (file.includes('swap') || file.includes('memsw'))
    return 'Boot with swapaccount=1 (Linux before 6.1) or drop the swap limit.';
  if (file.includes('weight')) return 'It needs a disk scheduler with weights (bfq), or the io cost model.';
  if (file.startsWith('cpu.rt_')) return 'It needs a kernel with CONFIG_RT_GROUP_SCHED.';
  return undefined;
}
