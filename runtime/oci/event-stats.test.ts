import { expect, it } from 'vitest';
import { eventStats } from './event-stats.ts';

it('the statistics have the names of runc', () => {
  const data = eventStats({
    cpu: { total: 3, user: 1, kernel: 2, perProcessor: [3] },
    memory: { usage: 10, peak: 20, limit: 30, failures: 4, detail: { cache: 5 } },
    pids: { current: 2, limit: 7 },
    io: { bytes: [{ major: 8, minor: 0, op: 'Read', value: 9 }], operations: [] },
  });
  expect(JSON.parse(JSON.stringify(data))).toEqual({
    cpu: { usage: { total: 3, percpu: [3], kernel: 2, user: 1 } },
    memory: { cache: 5, usage: { usage: 10, max: 20, limit: 30, failcnt: 4 }, raw: { cache: 5 } },
    pids: { current: 2, limit: 7 },
    blkio: {
      ioServiceBytesRecursive: [{ major: 8, minor: 0, op: 'Read', value: 9 }],
      ioServicedRecursive: [],
    },
    hugetlb: {},
    intel_rdt: {},
    network_interfaces: [],
  });
  expect(eventStats({})).toEqual({ hugetlb: {}, intel_rdt: {}, network_interfaces: [] });
});
