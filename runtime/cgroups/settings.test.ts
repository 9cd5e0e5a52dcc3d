import { describe, expect, test } from 'vitest';
import { HullError } from '../base/errors.ts';
import type { Resources } from '../base/oci.ts';
import { weightFromShares } from './cpu.ts';
import type { CurrentLimits } from './setting.ts';
import { settingsFor } from './settings.ts';

const MiB = 1024 * 1024;

function lines(resources: Resources, version: 1 | 2 | undefined, current?: CurrentLimits): string[] {
  return settingsFor(resources, () => version, current).map(
    ({ controller, file, value }) => `${controller}: ${file} = ${value}`,
  );
}

function kindOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof HullError) return error.kind;
    throw error;
  }
  return undefined;
}

const everything: Resources = {
  memory: { limit: 64 * MiB, reservation: 32 * MiB, swap: 96 * MiB },
  cpu: { shares: 512, quota: 50_000, period: 200_000, cpus: '0-1', mems: '0' },
  pids: { limit: 20 },
};

describe('settingsFor', () => {
  test('writes all limits to v1 files', () => {
    expect(lines(everything, 1)).toEqual([
      'memory: memory.limit_in_bytes = 67108864',
      'memory: memory.memsw.limit_in_bytes = 100663296',
      'memory: memory.soft_limit_in_bytes = 33554432',
      'cpu: cpu.shares = 512',
      'cpu: cpu.cfs_period_us = 200000',
      'cpu: cpu.cfs_quota_us = 50000',
      'cpuset: cpuset.cpus = 0-1',
      'cpuset: cpuset.mems = 0',
      'pids: pids.max = 20',
    ]);
  });

  test('writes all limits to v2 files, swap without memory', () => {
    expect(lines(everything, 2)).toEqual([
      'memory: memory.swap.max = 33554432',
      'memory: memory.max = 67108864',
      'memory: memory.low = 33554432',
      'cpu: cpu.weight = 59',
      'cpu: cpu.max = 50000 200000',
      'cpuset: cpuset.cpus = 0-1',
      'cpuset: cpuset.mems = 0',
      'pids: pids.max = 20',
    ]);
  });

  test.each<[string, Resources, string[], string[]]>([
    ['nothing wanted', {}, [], []],
    ['zeros, which mean not set', { memory: { limit: 0, swap: 0 }, cpu: { shares: 0, quota: 0 } }, [], []],
    [
      'no limits, said so',
      { memory: { limit: -1, swap: -1 }, cpu: { quota: -1 }, pids: { limit: -1 } },
      ['memory.limit_in_bytes=-1', 'memory.memsw.limit_in_bytes=-1', 'cpu.cfs_quota_us=-1', 'pids.max=max'],
      ['memory.swap.max=max', 'memory.max=max', 'cpu.max=max 100000', 'pids.max=max'],
    ],
    [
      'swap as large as memory, which is no swap',
      { memory: { limit: MiB, swap: MiB } },
      ['memory.limit_in_bytes=1048576', 'memory.memsw.limit_in_bytes=1048576'],
      ['memory.swap.max=0', 'memory.max=1048576'],
    ],
    ['a period alone', { cpu: { period: 5000 } }, ['cpu.cfs_period_us=5000'], ['cpu.max=max 5000']],
    ['a pids limit of 0', { pids: { limit: 0 } }, ['pids.max=max'], ['pids.max=max']],
  ])('%s', (_, resources, v1, v2) => {
    const brief = (version: 1 | 2) =>
      settingsFor(resources, () => version).map(({ file, value }) => `${file}=${value}`);
    expect(brief(1)).toEqual(v1);
    expect(brief(2)).toEqual(v2);
  });

  test('raises memsw before memory and lowers it after', () => {
    const wanted: Resources = { memory: { limit: 64 * MiB, swap: 96 * MiB } };
    const order = (memoryAndSwap: number) => lines(wanted, 1, { memoryAndSwap })[0];
    expect(order(32 * MiB)).toContain('memsw');
    expect(order(128 * MiB)).toContain('memory.limit_in_bytes');
  });

  test('refuses what v2 cannot do, and takes it on v1', () => {
    expect(kindOf(() => lines({ memory: { swappiness: 10 } }, 2))).toBe('unsupported');
    expect(kindOf(() => lines({ memory: { disableOOMKiller: true } }, 2))).toBe('unsupported');
    expect(lines({ memory: { swappiness: 10, disableOOMKiller: true } }, 1)).toEqual([
      'memory: memory.swappiness = 10',
      'memory: memory.oom_control = 1',
    ]);
  });

  test.each([1, 2] as const)('refuses contradicting swap limits on v%i', (version) => {
    expect(kindOf(() => lines({ memory: { swap: MiB } }, version))).toBe('invalid');
    expect(kindOf(() => lines({ memory: { limit: 2 * MiB, swap: MiB } }, version))).toBe('invalid');
  });

  test('names the controller that a wanted limit lacks, and needs none for what is not wanted', () => {
    const action = () => settingsFor(everything, (name) => (name === 'pids' ? undefined : 2));
    expect(action).toThrow(/Cannot set pids\.max to "20": found no cgroup controller "pids"/);
    expect(kindOf(action)).toBe('unsupported');
    expect(settingsFor({}, () => undefined)).toEqual([]);
  });
});

describe('weightFromShares', () => {
  test.each([
    [2, 1],
    [1024, 100],
    [262_144, 10_000],
    [0, 1],
    [1_000_000, 10_000],
    [256, 35],
    [2048, 174],
  ])('makes of %i shares weight %i', (shares, weight) => {
    expect(weightFromShares(shares)).toBe(weight);
  });
});
