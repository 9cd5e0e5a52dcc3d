import type { IoEntry, IoStats } from '../cgroups/stats/io-stats.ts';
import type { MemoryStats } from '../cgroups/stats/memory-stats.ts';
import type { StatsSample } from '../containers/stats.ts';

export interface StatsSubject {
  readonly id: string;
  readonly name: string;
  /** As /info tells it: v2 has no kinds of I/O statistics but one, and no failcnt. */
  readonly version: 1 | 2;
}

/**
 * One answer of GET /containers/{id}/stats. `before` is the sample that the client compares with; none for the first one
 * and for one-shot. A container that does not run has no sample and zeros.
 */
export function statsView(
  { id, name, version }: StatsSubject,
  now: StatsSample | undefined,
  before: StatsSample | undefined,
): unknown {
  const { pids, io, memory, pressure } = now?.group ?? {};
  return {
    read: now?.at.toISOString() ?? never,
    preread: before?.at.toISOString() ?? never,
    pids_stats: pids
      ? { current: pids.current, ...(pids.limit === undefined ? {} : { limit: pids.limit }) }
      : {},
    blkio_stats: blkioView(io, version),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuView(now),
    precpu_stats: cpuView(before),
    memory_stats: memory && now ? memoryView(memory, version, now.machineMemory) : {},
    // Not Docker's: who else reads it finds nothing in its way.
    ...(pressure && { pressure_stats: pressure }),
    name: `/${name}`,
    id,
  };
}

function cpuView(sample: StatsSample | undefined): unknown {
  const cpu = sample?.group.cpu;
  const { periods = 0, throttledPeriods = 0, throttledTime = 0 } = cpu?.throttling ?? {};
  return {
    cpu_usage: {
      total_usage: cpu?.total ?? 0,
      ...(cpu?.perProcessor && { percpu_usage: cpu.perProcessor }),
      usage_in_kernelmode: cpu?.kernel ?? 0,
      usage_in_usermode: cpu?.user ?? 0,
    },
    ...(sample && { system_cpu_usage: sample.systemTime, online_cpus: sample.processors }),
    throttling_data: { periods, throttled_periods: throttledPeriods, throttled_time: throttledTime },
  };
}

function memoryView(memory: MemoryStats, version: 1 | 2, machineMemory: number): unknown {
  const { usage, peak = 0, failures = 0, detail } = memory;
  return {
    usage,
    ...(version === 1 && { max_usage: peak, failcnt: failures }),
    stats: detail,
    limit: Math.min(memory.limit ?? machineMemory, machineMemory),
  };
}

function blkioView(io: IoStats | undefined, version: 1 | 2): unknown {
  const list = (entries: readonly IoEntry[] | undefined) =>
    entries && entries.length > 0
      ? entries.map((entry) => ({ ...entry, op: version === 2 ? entry.op.toLowerCase() : entry.op }))
      : null;
  const v1 = (entries: readonly IoEntry[] | undefined) =>
    version === 1 ? (list(entries) ?? (io ? [] : null)) : null;
  return {
    io_service_bytes_recursive: list(io?.bytes),
    io_serviced_recursive: v1(io?.operations),
    io_queue_recursive: v1(io?.queued),
    io_service_time_recursive: v1(io?.serviceTime),
    io_wait_time_recursive: v1(io?.waitTime),
    io_merged_recursive: v1(io?.merged),
    io_time_recursive: v1(io?.time),
    sectors_recursive: v1(io?.sectors),
  };
}

const never = '0001-01-01T00:00:00Z';
