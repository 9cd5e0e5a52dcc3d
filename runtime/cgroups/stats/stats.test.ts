import { describe, expect, test } from 'vitest';
import { hugetlbStats, miscStats, pidsStats, rdmaStats } from './counted-stats.ts';
import { cpuStats } from './cpu-stats.ts';
import { ioStats } from './io-stats.ts';
import { memoryStats } from './memory-stats.ts';
import { pressureStats } from './pressure-stats.ts';
import type { Reader } from './reader.ts';

const group = (version: 1 | 2, files: Readonly<Record<string, string>>): Reader => ({
  version,
  names: () => Object.keys(files),
  text: (file) => files[file],
});

describe('cpu', () => {
  test('v1, from cpuacct and the bandwidth of cpu', () => {
    const accounting = group(1, {
      'cpuacct.usage': '3000000',
      'cpuacct.usage_user': '1000000',
      'cpuacct.usage_sys': '2000000',
      'cpuacct.usage_percpu': '2500000 500000 ',
    });
    const bandwidth = group(1, {
      'cpu.stat': 'nr_periods 4\nnr_throttled 2\nthrottled_time 77\nnr_bursts 0',
    });
    expect(cpuStats(accounting, bandwidth)).toEqual({
      total: 3_000_000,
      user: 1_000_000,
      kernel: 2_000_000,
      perProcessor: [2_500_000, 500_000],
      throttling: { periods: 4, throttledPeriods: 2, throttledTime: 77, bursts: 0 },
    });
  });

  test('v1 before Linux 4.7, in ticks', () => {
    const accounting = group(1, { 'cpuacct.usage': '90', 'cpuacct.stat': 'user 3\nsystem 4' });
    expect(cpuStats(accounting, undefined)).toEqual({ total: 90, user: 3e7, kernel: 4e7 });
  });

  test('v2, in nanoseconds as well; without the controller no throttling', () => {
    const both = group(2, {
      'cpu.stat':
        'usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 1\nnr_throttled 1\nthrottled_usec 5\nnr_bursts 1\nburst_usec 2',
    });
    expect(cpuStats(both, both)).toEqual({
      total: 30_000,
      user: 10_000,
      kernel: 20_000,
      throttling: { periods: 1, throttledPeriods: 1, throttledTime: 5000, bursts: 1, burstTime: 2000 },
    });
    const bare = group(2, { 'cpu.stat': 'usage_usec 30\nuser_usec 10\nsystem_usec 20' });
    expect(cpuStats(bare, bare)).toEqual({ total: 30_000, user: 10_000, kernel: 20_000 });
  });
});

describe('memory', () => {
  test('v1', () => {
    const reader = group(1, {
      'memory.usage_in_bytes': '4096',
      'memory.max_usage_in_bytes': '8192',
      'memory.limit_in_bytes': '9223372036854771712',
      'memory.failcnt': '3',
      'memory.memsw.usage_in_bytes': '5096',
      'memory.memsw.limit_in_bytes': '65536',
      'memory.stat': 'cache 1\nrss 2\ntotal_inactive_file 3',
      'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1',
    });
    expect(memoryStats(reader)).toEqual({
      usage: 4096,
      peak: 8192,
      failures: 3,
      memoryAndSwap: { usage: 5096, limit: 65_536 },
      swap: { usage: 1000 },
      detail: { cache: 1, rss: 2, total_inactive_file: 3 },
      events: { low: 0, high: 0, max: 3, oom: 1, oomKill: 1 },
    });
  });

  test('v2', () => {
    const reader = group(2, {
      'memory.current': '4096',
      'memory.max': '65536',
      'memory.swap.current': '0',
      'memory.swap.max': 'max',
      'memory.stat': 'anon 5\ninactive_file 6',
      'memory.events': 'low 0\nhigh 1\nmax 7\noom 2\noom_kill 1\noom_group_kill 0',
    });
    expect(memoryStats(reader)).toEqual({
      usage: 4096,
      limit: 65_536,
      failures: 7,
      swap: { usage: 0 },
      detail: { anon: 5, inactive_file: 6 },
      events: { low: 0, high: 1, max: 7, oom: 2, oomKill: 1 },
    });
  });
});

describe('io', () => {
  const throttled = {
    'blkio.throttle.io_serviced': '8:0 Read 2\n8:0 Write 0\nTotal 2',
    'blkio.throttle.io_service_bytes': '8:0 Read 8192\nTotal 8192',
  };
  const read = { major: 8, minor: 0, op: 'Read' };

  test('v1, by throttling where no scheduler counts', () => {
    const wanted = {
      bytes: [{ ...read, value: 8192 }],
      operations: [
        { ...read, value: 2 },
        { ...read, op: 'Write', value: 0 },
      ],
    };
    expect(ioStats(group(1, throttled))).toEqual(wanted);
    const idle = {
      'blkio.bfq.io_serviced_recursive': 'Total 0',
      'blkio.bfq.io_service_bytes_recursive': 'Total 0',
    };
    expect(ioStats(group(1, { ...throttled, ...idle }))).toEqual(wanted);
  });

  test('v1, by the scheduler', () => {
    const reader = group(1, {
      ...throttled,
      'blkio.io_serviced_recursive': '8:0 Read 1\nTotal 1',
      'blkio.io_service_bytes_recursive': '8:0 Read 512\nTotal 512',
      'blkio.time_recursive': '8:0 99',
    });
    expect(ioStats(reader)).toEqual({
      bytes: [{ ...read, value: 512 }],
      operations: [{ ...read, value: 1 }],
      time: [{ ...read, op: '', value: 99 }],
    });
  });

  test('v2', () => {
    const reader = group(2, { 'io.stat': '8:0 rbytes=512 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n254:1 ' });
    expect(ioStats(reader)?.bytes).toEqual([
      { ...read, value: 512 },
      { ...read, op: 'Write', value: 0 },
      { ...read, op: 'Discard', value: 0 },
    ]);
    expect(ioStats(group(2, { 'io.stat': '' }))).toEqual({ bytes: [], operations: [] });
  });
});

test('pids, hugetlb, rdma, misc', () => {
  const files = { 'pids.current': '3', 'pids.max': 'max', 'pids.events': 'max 4' };
  expect(pidsStats(group(2, files))).toEqual({ current: 3, refused: 4 });
  expect(pidsStats(group(1, { 'pids.current': '3', 'pids.max': '9' }))).toEqual({ current: 3, limit: 9 });
  expect(
    hugetlbStats(
      group(1, {
        'hugetlb.2MB.usage_in_bytes': '0',
        'hugetlb.2MB.max_usage_in_bytes': '5',
        'hugetlb.2MB.failcnt': '1',
      }),
    ),
  ).toEqual({ '2MB': { usage: 0, peak: 5, failures: 1 } });
  expect(
    hugetlbStats(
      group(2, {
        'hugetlb.1GB.current': '7',
        'hugetlb.1GB.rsvd.current': '7',
        'hugetlb.1GB.events': 'max 2',
      }),
    ),
  ).toEqual({ '1GB': { usage: 7, failures: 2 } });
  expect(rdmaStats(group(2, { 'rdma.current': 'mlx4_0 hca_handle=2 hca_object=9' }))).toEqual({
    mlx4_0: { handles: 2, objects: 9 },
  });
  expect(
    miscStats(
      group(2, {
        'misc.current': 'res_a 3\nres_b 0',
        'misc.max': 'res_a max\nres_b 4',
        'misc.events': 'res_b.max 1',
      }),
    ),
  ).toEqual({ res_a: { usage: 3 }, res_b: { usage: 0, limit: 4, failures: 1 } });
});

test('pressure', () => {
  const reader = group(2, {
    'memory.pressure':
      'some avg10=1.50 avg60=0.20 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=4',
    'cpu.pressure': 'some avg10=0.00 avg60=0.00 avg300=0.00 total=9',
  });
  expect(pressureStats(reader, 'memory')).toEqual({
    some: { avg10: 1.5, avg60: 0.2, avg300: 0, total: 1234 },
    full: { avg10: 0, avg60: 0, avg300: 0, total: 4 },
  });
  expect(pressureStats(reader, 'cpu')).toEqual({ some: { avg10: 0, avg60: 0, avg300: 0, total: 9 } });
  expect(pressureStats(reader, 'io')).toBeUndefined();
});

test('nothing is known of a group that is gone', () => {
  const gone = group(2, {});
  expect([
    cpuStats(gone, gone),
    memoryStats(gone),
    ioStats(gone),
    pidsStats(gone),
    hugetlbStats(gone),
  ]).toEqual(Array(5).fill(undefined));
});
