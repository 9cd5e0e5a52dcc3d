import { flatIn, numberIn, type Reader } from './reader.ts';

/** Bytes. An absent limit is none. */
export interface MemoryStats {
  readonly usage: number;
  readonly peak?: number;
  readonly limit?: number;
  /** How often the limit was met: v1 failcnt, v2 `max` of memory.events. */
  readonly failures?: number;
  /** Swap alone, in both versions. */
  readonly swap?: { readonly usage: number; readonly limit?: number };
  /** v1 only: memory plus swap, kernel memory, TCP buffers, as the kernel counts them. */
  readonly memoryAndSwap?: Counter;
  readonly kernelMemory?: Counter;
  readonly kernelTcp?: Counter;
  /** memory.stat as it is. */
  readonly detail: Readonly<Record<string, number>>;
  readonly events?: MemoryEvents;
}

export interface Counter {
  readonly usage: number;
  readonly peak?: number;
  readonly limit?: number;
  readonly failures?: number;
}

/** How often in the group's life, groups below it included where the kernel does so. */
export interface MemoryEvents {
  readonly low: number;
  readonly high: number;
  readonly max: number;
  /** The limit was reached and nothing could be reclaimed. */
  readonly oom: number;
  /** Processes killed for it. */
  readonly oomKill: number;
}

export function memoryStats(reader: Reader): MemoryStats | undefined {
  return reader.version === 1 ? memoryV1(reader) : memoryV2(reader);
}

function memoryV1(reader: Reader): MemoryStats | undefined {
  const own = counter(reader, 'memory.');
  if (!own) return undefined;
  const [both, kernelMemory, kernelTcp] = ['memory.memsw.', 'memory.kmem.', 'memory.kmem.tcp.'].map(
    (prefix) => counter(reader, prefix),
  );
  const detail = flatIn(reader, 'memory.stat') ?? {};
  const oomKill = flatIn(reader, 'memory.oom_control')?.['oom_kill'];
  return {
    ...own,
    ...(both && { memoryAndSwap: both, swap: { usage: Math.max(0, both.usage - own.usage) } }),
    ...(kernelMemory && { kernelMemory }),
    ...(kernelTcp && { kernelTcp }),
    detail,
    ...(oomKill === undefined
      ? {}
      : { events: { low: 0, high: 0, max: own.failures ?? 0, oom: oomKill, oomKill } }),
  };
}

function memoryV2(reader: Reader): MemoryStats | undefined {
  const usage = numberIn(reader, 'memory.current');
  if (usage === undefined) return undefined;
  const [peak, limit] = [numberIn(reader, 'memory.peak'), numberIn(reader, 'memory.max')];
  const [swapUsage, swapLimit] = [
    numberIn(reader, 'memory.swap.current'),
    numberIn(reader, 'memory.swap.max'),
  ];
  const events = memoryEvents(reader);
  return {
    usage,
    ...(peak === undefined ? {} : { peak }),
    ...(limit === undefined ? {} : { limit }),
    ...(events === undefined ? {} : { failures: events.max, events }),
    ...(swapUsage === undefined
      ? {}
      : { swap: { usage: swapUsage, ...(swapLimit === undefined ? {} : { limit: swapLimit }) } }),
    detail: flatIn(reader, 'memory.stat') ?? {},
  };
}

/** v2's memory.events. */
export function memoryEvents(reader: Reader): MemoryEvents | undefined {
  const found = flatIn(reader, 'memory.events');
  if (!found) return undefined;
  const count = (name: string) => found[name] ?? 0;
  return {
    low: count('low'),
    high: count('high'),
    max: count('max'),
    oom: count('oom'),
    oomKill: count('oom_kill'),
  };
}

function counter(reader: Reader, prefix: string): Counter | undefined {
  const usage = numberIn(reader, `${prefix}usage_in_bytes`);
  if (usage === undefined) return undefined;
  const peak = numberIn(reader, `${prefix}max_usage_in_bytes`);
  const limit = numberIn(reader, `${prefix}limit_in_bytes`);
  const failures = numberIn(reader, `${prefix}failcnt`);
  return {
    usage,
    ...(peak === undefined ? {} : { peak }),
    ...(limit === undefined ? {} : { limit }),
    ...(failures === undefined ? {} : { failures }),
  };
}
