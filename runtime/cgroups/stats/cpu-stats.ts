import { flatIn, numberIn, type Reader } from './reader.ts';

/** Times in nanoseconds. */
export interface CpuStats {
  readonly total: number;
  readonly user: number;
  readonly kernel: number;
  /** v1 only: one per processor that the machine could have. */
  readonly perProcessor?: readonly number[];
  readonly throttling?: {
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledTime: number;
    readonly bursts?: number;
    readonly burstTime?: number;
  };
}

/** v1: cpuacct and cpu.stat of the cpu controller; v2: cpu.stat, which every group has. */
export function cpuStats(
  accounting: Reader | undefined,
  bandwidth: Reader | undefined,
): CpuStats | undefined {
  const usage = accounting?.version === 1 ? usageV1(accounting) : accounting && usageV2(accounting);
  if (!usage) return undefined;
  const throttling = bandwidth && throttlingOf(bandwidth);
  return { ...usage, ...(throttling && { throttling }) };
}

function usageV1(reader: Reader): CpuStats | undefined {
  const total = numberIn(reader, 'cpuacct.usage');
  if (total === undefined) return undefined;
  const list = (file: string) => reader.text(file)?.split(/\s+/).filter(Boolean).map(Number);
  const perProcessor = list('cpuacct.usage_percpu');
  // cpuacct.stat counts in ticks of 1/100 s; usage_user and usage_sys (Linux 4.7) are exact.
  const ticks = flatIn(reader, 'cpuacct.stat') ?? {};
  return {
    total,
    user: numberIn(reader, 'cpuacct.usage_user') ?? (ticks['user'] ?? 0) * 1e7,
    kernel: numberIn(reader, 'cpuacct.usage_sys') ?? (ticks['system'] ?? 0) * 1e7,
    ...(perProcessor && { perProcessor }),
  };
}

function usageV2(reader: Reader): CpuStats | undefined {
  const stat = flatIn(reader, 'cpu.stat');
  if (stat?.['usage_usec'] === undefined) return undefined;
  return {
    total: stat['usage_usec'] * 1000,
    user: (stat['user_usec'] ?? 0) * 1000,
    kernel: (stat['system_usec'] ?? 0) * 1000,
  };
}

function throttlingOf(reader: Reader): CpuStats['throttling'] {
  const stat = flatIn(reader, 'cpu.stat');
  if (stat?.['nr_periods'] === undefined) return undefined;
  const v1 = reader.version === 1;
  const burstTime = v1 ? stat['burst_time'] : micro(stat['burst_usec']);
  return {
    periods: stat['nr_periods'],
    throttledPeriods: stat['nr_throttled'] ?? 0,
    throttledTime: (v1 ? stat['throttled_time'] : micro(stat['throttled_usec'])) ?? 0,
    ...(stat['nr_bursts'] === undefined ? {} : { bursts: stat['nr_bursts'] }),
    ...(burstTime === undefined ? {} : { burstTime }),
  };
}

const micro = (value: number | undefined) => (value === undefined ? undefined : value * 1000);
