import { type Controller, type Setting, unlimitedV2 } from './setting.ts';

const defaultPeriod = 100_000;

/**
 * config-linux.md "CPU". 0 means "not set", a quota of -1 "no limit". Kernel: scheduler/sched-bwc.rst,
 * admin-guide/cgroup-v2.rst "CPU".
 */
export const cpu: Controller = {
  name: 'cpu',

  v1({ cpu: wanted }) {
    if (!wanted) return [];
    return [
      ...(wanted.shares ? [set('cpu.shares', String(wanted.shares))] : []),
      // The period first: a quota is checked against the period in force.
      ...(wanted.period ? [set('cpu.cfs_period_us', String(wanted.period))] : []),
      ...(wanted.quota ? [set('cpu.cfs_quota_us', String(wanted.quota))] : []),
    ];
  },

  v2({ cpu: wanted }) {
    if (!wanted) return [];
    const bandwidth = wanted.quota || wanted.period;
    return [
      ...(wanted.shares ? [set('cpu.weight', String(weightFromShares(wanted.shares)))] : []),
      ...(bandwidth
        ? [set('cpu.max', `${unlimitedV2(wanted.quota || -1)} ${wanted.period || defaultPeriod}`)]
        : []),
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

const set = (file: string, value: string): Setting => ({ controller: 'cpu', file, value });
