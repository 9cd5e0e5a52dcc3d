import { type ResctrlPlace, resctrlStats } from '../cgroups/resctrl.ts';
import type { Counter } from '../cgroups/stats/memory-stats.ts';
import type { CgroupStats } from '../cgroups/stats/stats.ts';

/** A group's use under the names of runc's `events` (types.Stats): who reads the one reads the other. What nobody counts is absent. */
export function eventStats({ cpu, memory, io, pids, hugetlb }: CgroupStats, rdt?: ResctrlPlace): object {
  return {
    ...(cpu && {
      cpu: {
        usage: { total: cpu.total, percpu: cpu.perProcessor, kernel: cpu.kernel, user: cpu.user },
        throttling: cpu.throttling && {
          periods: cpu.throttling.periods,
          throttledPeriods: cpu.throttling.throttledPeriods,
          throttledTime: cpu.throttling.throttledTime,
        },
      },
    }),
    ...(memory && {
      memory: {
        cache: memory.detail['cache'] ?? memory.detail['file'],
        usage: entry(memory),
        swap: memory.memoryAndSwap ? entry(memory.memoryAndSwap) : memory.swap && entry(memory.swap),
        kernel: memory.kernelMemory && entry(memory.kernelMemory),
        kernelTCP: memory.kernelTcp && entry(memory.kernelTcp),
        raw: memory.detail,
      },
    }),
    ...(pids && { pids }),
    ...(io && {
      blkio: {
        ioServiceBytesRecursive: io.bytes,
        ioServicedRecursive: io.operations,
        ioQueueRecursive: io.queued,
        ioServiceTimeRecursive: io.serviceTime,
        ioWaitTimeRecursive: io.waitTime,
        ioMergedRecursive: io.merged,
        ioTimeRecursive: io.time,
        sectorsRecursive: io.sectors,
      },
    }),
    hugetlb: hugetlb ?? {},
    intel_rdt: rdt ? resctrlStats(rdt) : {},
    network_interfaces: [],
  };
}

function entry({ usage, peak, limit, failures }: Counter): object {
  return { usage, max: peak ?? 0, limit, failcnt: failures ?? 0 };
}
