import type { CurrentLimits, Setting } from '../setting.ts';
import type { VersionOf } from '../settings.ts';

/** What a file of the group is called among a unit's properties (systemd.resource-control(5)). */
const properties = {
  1: {
    'memory.limit_in_bytes': 'MemoryLimit',
    'cpu.shares': 'CPUShares',
    'blkio.weight': 'BlockIOWeight',
    'pids.max': 'TasksMax',
  },
  2: {
    'memory.max': 'MemoryMax',
    'memory.swap.max': 'MemorySwapMax',
    'memory.low': 'MemoryLow',
    'memory.high': 'MemoryHigh',
    'memory.min': 'MemoryMin',
    'cpu.weight': 'CPUWeight',
    'cpuset.cpus': 'AllowedCPUs',
    'cpuset.mems': 'AllowedMemoryNodes',
    'io.weight': 'IOWeight',
    'pids.max': 'TasksMax',
  },
} as const satisfies Readonly<Record<1 | 2, Readonly<Record<string, string>>>>;

/**
 * Limits as assignments of unit properties, so that systemd writes the same when it writes a group's files again (a reload of its
 * configuration, a change of another property). What systemd has no property for it leaves alone. Pure.
 * @param current what holds where a setting says half of a pair: a quota without its period.
 */
export function unitProperties(
  settings: readonly Setting[],
  versionOf: VersionOf,
  current: CurrentLimits,
): readonly string[] {
  return [
    ...settings.flatMap((setting) => propertyOf(setting, versionOf)),
    ...quotaProperties(settings, current),
  ];
}

function propertyOf({ controller, file, value, otherwise }: Setting, versionOf: VersionOf): string[] {
  const version = versionOf(controller);
  if (version === undefined) return [];
  const names: Readonly<Record<string, string>> = properties[version];
  // A weight has two names, of which systemd knows one.
  const known = [{ file, value }, ...(otherwise ? [otherwise] : [])].find((each) => names[each.file]);
  // A line for a device, or a word that only the kernel knows.
  if (!known || !/^(-?\d+[KMGT]?|max|[\d,-]+)$/i.test(known.value)) return [];
  const word = known.value === 'max' || known.value === '-1' ? 'infinity' : known.value;
  return [`${names[known.file]}=${word}`];
}

/** systemd counts a quota in whole percent of a processor; the group's file has it exactly. */
function quotaProperties(settings: readonly Setting[], current: CurrentLimits): string[] {
  const last = (file: string) => settings.findLast((setting) => setting.file === file)?.value;
  const [max, v1Quota, v1Period] = ['cpu.max', 'cpu.cfs_quota_us', 'cpu.cfs_period_us'].map(last);
  if (max === undefined && v1Quota === undefined && v1Period === undefined) return [];
  const [quotaWord = v1Quota, periodWord = v1Period] = max?.split(' ') ?? [];
  const quota = quotaWord === 'max' ? -1 : Number(quotaWord ?? current.quota ?? -1);
  const period = Number(periodWord ?? current.period ?? 100_000);
  const percent = quota < 0 ? '' : `${Math.ceil((quota * 100) / period)}%`;
  return [`CPUQuota=${percent}`, `CPUQuotaPeriodSec=${period}us`];
}
