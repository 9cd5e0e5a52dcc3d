import { expect, test } from 'vitest';
import type { CgroupStats } from '../cgroups/stats/stats.ts';
import { systemTime } from '../containers/stats.ts';
import { statsView } from './stats-view.ts';

const sample = (group: CgroupStats) => ({
  at: new Date(0),
  group,
  systemTime: 1000,
  processors: 2,
  machineMemory: 4096,
});
const read = { major: 8, minor: 0, op: 'Read', value: 3 };
const group: CgroupStats = {
  cpu: { total: 30, user: 10, kernel: 20, throttling: { periods: 1, throttledPeriods: 2, throttledTime: 3 } },
  memory: { usage: 100, peak: 200, failures: 4, detail: { inactive_file: 5 } },
  io: { bytes: [read], operations: [] },
  pids: { current: 2 },
};

test('on v1 all fields of the API', () => {
  const perProcessor = { ...group, cpu: { total: 30, user: 10, kernel: 20, perProcessor: [30, 0] } };
  expect(statsView({ id: 'abc', name: 'one', version: 1 }, sample(perProcessor), sample(group))).toEqual({
    read: '1970-01-01T00:00:00.000Z',
    preread: '1970-01-01T00:00:00.000Z',
    pids_stats: { current: 2 },
    blkio_stats: {
      io_service_bytes_recursive: [read],
      io_serviced_recursive: [],
      io_queue_recursive: [],
      io_service_time_recursive: [],
      io_wait_time_recursive: [],
      io_merged_recursive: [],
      io_time_recursive: [],
      sectors_recursive: [],
    },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: {
      cpu_usage: { total_usage: 30, percpu_usage: [30, 0], usage_in_kernelmode: 20, usage_in_usermode: 10 },
      system_cpu_usage: 1000,
      online_cpus: 2,
      throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
    },
    precpu_stats: {
      cpu_usage: { total_usage: 30, usage_in_kernelmode: 20, usage_in_usermode: 10 },
      system_cpu_usage: 1000,
      online_cpus: 2,
      throttling_data: { periods: 1, throttled_periods: 2, throttled_time: 3 },
    },
    memory_stats: { usage: 100, max_usage: 200, failcnt: 4, stats: { inactive_file: 5 }, limit: 4096 },
    name: '/one',
    id: 'abc',
  });
});

test('on v2 without what it does not count', () => {
  expect(statsView({ id: 'abc', name: 'one', version: 2 }, sample(group), undefined)).toMatchObject({
    preread: '0001-01-01T00:00:00Z',
    blkio_stats: { io_service_bytes_recursive: [{ ...read, op: 'read' }], io_serviced_recursive: null },
    precpu_stats: { cpu_usage: { total_usage: 0 } },
    memory_stats: { usage: 100, stats: { inactive_file: 5 }, limit: 4096 },
  });
});

test('of a container that does not run', () => {
  expect(statsView({ id: 'abc', name: 'one', version: 2 }, undefined, undefined)).toMatchObject({
    read: '0001-01-01T00:00:00Z',
    pids_stats: {},
    memory_stats: {},
    cpu_stats: { cpu_usage: { total_usage: 0 } },
  });
});

test('the time of all processors, guests not counted twice', () => {
  expect(systemTime('cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1')).toBe(28 * 10_000_000);
});
