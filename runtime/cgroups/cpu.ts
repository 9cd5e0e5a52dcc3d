import type { Resources } from '../base/oci.ts';
import { onlyV1 } from './only-v1.ts';
import { type Controller, type Setting, unlimitedV2 } from './setting.ts';

type Cpu = NonNullable<Resources['cpu']>;

const defaultPeriod = 100_000;

/**
 * config-linux.md "CPU". 0 means "not set", a quota of -1 "no limit"; a burst or idle of 0 is a value. Kernel:
 * scheduler/sched-bwc.rst, scheduler/sched-rt-group.rst, admin-guide/cgroup-v2.rst "CPU".
 */
export const cpu: Controller = {
  name: 'cpu',

  v1({ cpu: wanted }) {
    if (!wanted) return [];
    return [
      ...weight('cpu.shares', wanted.shares, wanted.idle),
      // The period first: a quota is checked against the period in force.
      ...nonZero('cpu.cfs_period_us', wanted.period),
      ...nonZero('cpu.cfs_quota_us', wanted.quota),
      ...given('cpu.cfs_burst_us', wanted.burst),
      ...nonZero('cpu.rt_period_us', wanted.realtimePeriod),
      ...nonZero('cpu.rt_runtime_us', wanted.realtimeRuntime),
    ];
  },

  v2({ cpu: wanted }, current) {
    if (!wanted) return [];
    refuseRealtime(wanted);
    const quota = wanted.quota || current.quota || -1;
    const period = wanted.period || current.period || defaultPeriod;
    const shares = wanted.shares ? weightFromShares(wanted.shares) : undefined;
    return [
      ...weight('cpu.weight', shares, wanted.idle),
      ...(wanted.quota || wanted.period ? [set('cpu.max', `${unlimitedV2(quota)} ${period}`)] : []),
      ...given('cpu.max.burst', wanted.burst),
    ];
  },
};

/**
 * Shares (2–262144) to weight (1–10000), as published with opencontainers/cgroups and crun since 2025: a curve through
 * (2, 1), (1024, 100), (262144, 10000), so that the default of one is the default of the other. (The linear conversion
 * before it made 39 of the default 1024.)
 */
export function weightFromShares(shares: number): number {
  const exponent = Math.log2(Math.min(Math.max(shares, 2), 262_144));
  // At the three points the sum is a whole number up to rounding, and `ceil` must not lift it.
  const weight = 10 ** ((exponent * exponent + 125 * exponent) / 612 - 7 / 34);
  return Math.min(10_000, Math.max(1, Math.ceil(weight - 1e-9)));
}

/** The kernel refuses a weight for an idle group: idle ends before the weight is set, and begins after it. */
function weight(file: string, value: number | undefined, idle: number | undefined): Setting[] {
  const [settings, idles] = [nonZero(file, value), given('cpu.idle', idle)];
  return idle === 1 ? [...settings, ...idles] : [...idles, ...settings];
}

function refuseRealtime({ realtimePeriod, realtimeRuntime }: Cpu): void {
  if (realtimePeriod) throw onlyV1('cpu.realtimePeriod', 'there is no real-time budget per group');
  if (realtimeRuntime) throw onlyV1('cpu.realtimeRuntime', 'there is no real-time budget per group');
}

const set = (file: string, value: string): Setting => ({ controller: 'cpu', file, value });

const nonZero = (file: string, value: number | undefined): Setting[] =>
  value ? [set(file, String(value))] : [];

const given = (file: string, value: number | undefined): Setting[] =>
  value === undefined ? [] : [set(file, String(value))];
