import { describe, expect, test } from 'vitest';
import { HullError } from '../base/errors.ts';
import type { Resources } from '../base/oci.ts';
import { ioWeight } from './blkio.ts';
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

describe('each controller', () => {
  const brief = (resources: Resources, version: 1 | 2, current?: CurrentLimits) =>
    settingsFor(resources, () => version, current).map(({ file, value, otherwise, optional }) =>
      [
        `${file}=${value}`,
        ...(otherwise ? [`or ${otherwise.file}=${otherwise.value}`] : []),
        ...(optional ? ['if there'] : []),
      ].join(' '),
    );
  const disk = { major: 8, minor: 16 };

  test.each<[string, Resources, string[], string[]]>([
    [
      'cpu: burst after the quota, idle after the weight',
      { cpu: { quota: 20_000, burst: 10_000, shares: 2, idle: 1 } },
      ['cpu.shares=2', 'cpu.idle=1', 'cpu.cfs_quota_us=20000', 'cpu.cfs_burst_us=10000'],
      ['cpu.weight=1', 'cpu.idle=1', 'cpu.max=20000 100000', 'cpu.max.burst=10000'],
    ],
    [
      'cpu: no longer idle, then its weight; a burst of 0',
      { cpu: { shares: 2, idle: 0, burst: 0 } },
      ['cpu.idle=0', 'cpu.shares=2', 'cpu.cfs_burst_us=0'],
      ['cpu.idle=0', 'cpu.weight=1', 'cpu.max.burst=0'],
    ],
    [
      'blkio: weights by either scheduler',
      { blockIO: { weight: 500, weightDevice: [{ ...disk, weight: 10 }] } },
      [
        'blkio.weight=500 or blkio.bfq.weight=500',
        'blkio.weight_device=8:16 10 or blkio.bfq.weight_device=8:16 10',
      ],
      ['io.bfq.weight=500 or io.weight=4950', 'io.bfq.weight=8:16 10 or io.weight=8:16 1'],
    ],
    [
      'blkio: throttling',
      {
        blockIO: {
          throttleReadBpsDevice: [{ ...disk, rate: 1000 }],
          throttleWriteBpsDevice: [{ ...disk, rate: 0 }],
          throttleReadIOPSDevice: [{ ...disk, rate: 3 }],
          throttleWriteIOPSDevice: [
            { ...disk, rate: 4 },
            { major: 8, minor: 0, rate: 5 },
          ],
        },
      },
      [
        'blkio.throttle.read_bps_device=8:16 1000',
        'blkio.throttle.write_bps_device=8:16 0',
        'blkio.throttle.read_iops_device=8:16 3',
        'blkio.throttle.write_iops_device=8:16 4',
        'blkio.throttle.write_iops_device=8:0 5',
      ],
      [
        'io.max=8:16 rbps=1000',
        'io.max=8:16 wbps=max',
        'io.max=8:16 riops=3',
        'io.max=8:16 wiops=4',
        'io.max=8:0 wiops=5',
      ],
    ],
    [
      'hugetlb',
      { hugepageLimits: [{ pageSize: '2MB', limit: 4 * MiB }] },
      ['hugetlb.2MB.limit_in_bytes=4194304', 'hugetlb.2MB.rsvd.limit_in_bytes=4194304 if there'],
      ['hugetlb.2MB.max=4194304', 'hugetlb.2MB.rsvd.max=4194304 if there'],
    ],
    [
      'rdma',
      { rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10_000 }, mlx4_0: { hcaObjects: 1 }, mlx4_1: {} } },
      ['rdma.max=mlx5_1 hca_handle=3 hca_object=10000', 'rdma.max=mlx4_0 hca_object=1'],
      ['rdma.max=mlx5_1 hca_handle=3 hca_object=10000', 'rdma.max=mlx4_0 hca_object=1'],
    ],
  ])('%s', (_, resources, v1, v2) => {
    expect(brief(resources, 1)).toEqual(v1);
    expect(brief(resources, 2)).toEqual(v2);
  });

  test.each<[string, Resources, string[]]>([
    [
      'real time',
      { cpu: { realtimePeriod: 1_000_000, realtimeRuntime: 950_000 } },
      ['cpu.rt_period_us=1000000', 'cpu.rt_runtime_us=950000'],
    ],
    [
      'network',
      { network: { classID: 1_048_577, priorities: [{ name: 'eth0', priority: 5 }] } },
      ['net_cls.classid=1048577', 'net_prio.ifpriomap=eth0 5'],
    ],
    ['leaf weight', { blockIO: { leafWeight: 300 } }, ['blkio.leaf_weight=300']],
    ['TCP buffers', { memory: { kernelTCP: MiB } }, ['memory.kmem.tcp.limit_in_bytes=1048576']],
  ])('%s: on v1 only', (_, resources, v1) => {
    expect(brief(resources, 1)).toEqual(v1);
    expect(kindOf(() => brief(resources, 2))).toBe('unsupported');
  });

  test('unified: after the rest, a write a line, on v2 only', () => {
    const wanted: Resources = {
      unified: { 'misc.max': 'res_a 1\nres_b 2\n', 'cgroup.max.depth': '3' },
      pids: { limit: 1 },
    };
    const versions = (name: string) => (name === 'pids' || name === 'misc' ? 2 : undefined);
    expect(settingsFor(wanted, versions).map(({ file, value }) => `${file}=${value}`)).toEqual([
      'pids.max=1',
      'misc.max=res_a 1',
      'misc.max=res_b 2',
      'cgroup.max.depth=3',
    ]);
    expect(() => lines({ unified: { 'memory.high': '1' } }, 1)).toThrow(/"memory" in a v1 hierarchy/);
    expect(() => lines({ unified: { 'memory.high': '1' } }, undefined)).toThrow(
      /no cgroup controller "memory"/,
    );
    expect(kindOf(() => lines({ unified: { '../memory.high': '1' } }, 2))).toBe('invalid');
  });

  test('an update says only what is given, and takes the rest from the group', () => {
    expect(brief({ cpu: { quota: 5000 } }, 2, { quota: -1, period: 20_000 })).toEqual(['cpu.max=5000 20000']);
    expect(brief({ cpu: { period: 50_000 } }, 2, { quota: 9000, period: 20_000 })).toEqual([
      'cpu.max=9000 50000',
    ]);
    expect(brief({ memory: { swap: 3 * MiB } }, 2, { memory: MiB })).toEqual(['memory.swap.max=2097152']);
    expect(brief({ memory: { limit: -1 } }, 2, { memory: MiB })).toEqual([
      'memory.swap.max=max if there',
      'memory.max=max',
    ]);
    expect(brief({ memory: { limit: -1 } }, 1, { memory: MiB, memoryAndSwap: MiB })).toEqual([
      'memory.memsw.limit_in_bytes=-1',
      'memory.limit_in_bytes=-1',
    ]);
  });
});

describe('ioWeight', () => {
  test.each([
    [10, 1],
    [500, 4950],
    [1000, 10_000],
  ])('makes of blkio weight %i io.weight %i', (weight, io) => {
    expect(ioWeight(weight)).toBe(io);
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
