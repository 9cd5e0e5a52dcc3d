import { HullError } from '../base/errors.ts';
import type { Resources } from '../base/oci.ts';
import { onlyV1 } from './only-v1.ts';
import { type Controller, type CurrentLimits, type Setting, unlimitedV2 } from './setting.ts';

type Memory = NonNullable<Resources['memory']>;

/**
 * config-linux.md "Memory". `swap` there is memory plus swap (v1 memsw); v2 counts swap alone. 0 means "not set", -1 "no
 * limit". Kernel: admin-guide/cgroup-v1/memory.rst, admin-guide/cgroup-v2.rst "Memory".
 */
export const memory: Controller = {
  name: 'memory',

  v1({ memory: wanted }, current) {
    if (!wanted) return [];
    checkSwap(wanted, current);
    return [
      ...limitsV1(wanted, current),
      ...optional('memory.soft_limit_in_bytes', wanted.reservation),
      ...optional('memory.kmem.tcp.limit_in_bytes', wanted.kernelTCP),
      ...(wanted.swappiness === undefined || wanted.swappiness < 0
        ? []
        : [set('memory.swappiness', String(wanted.swappiness))]),
      ...(wanted.disableOOMKiller ? [set('memory.oom_control', '1')] : []),
    ];
  },

  v2({ memory: wanted }, current) {
    if (!wanted) return [];
    const limit = wanted.limit || current.memory;
    checkSwap(wanted, current);
    if (wanted.disableOOMKiller) throw onlyV1('memory.disableOOMKiller', 'the OOM killer cannot be disabled');
    if (wanted.swappiness !== undefined && wanted.swappiness >= 0) {
      throw onlyV1('memory.swappiness', 'there is no swappiness per group');
    }
    if (wanted.kernelTCP) throw onlyV1('memory.kernelTCP', 'TCP buffers count as memory');
    const swapOnly = wanted.swap ? swapAlone(wanted.swap, limit) : undefined;
    return [
      // Swap first: lowering memory.max below what is used pushes pages to swap, up to the limit in force.
      ...(swapOnly === undefined ? [] : [set('memory.swap.max', unlimitedV2(swapOnly))]),
      // As on v1, where no limit on memory takes that on both away.
      ...(swapOnly === undefined && wanted.limit === -1
        ? [{ ...set('memory.swap.max', 'max'), optional: true as const }]
        : []),
      ...(wanted.limit ? [set('memory.max', unlimitedV2(wanted.limit))] : []),
      ...(wanted.reservation ? [set('memory.low', unlimitedV2(wanted.reservation))] : []),
    ];
  },
};

/** The kernel refuses a memory limit above memory plus swap at every moment, so the order depends on which way they go. */
function limitsV1({ limit, swap: wantedSwap }: Memory, { memoryAndSwap = -1 }: CurrentLimits): Setting[] {
  // No limit on memory with one on memory plus swap would be refused.
  const swap = wantedSwap || (limit === -1 && memoryAndSwap >= 0 ? -1 : undefined);
  const limitSetting = optional('memory.limit_in_bytes', limit);
  const swapSetting = optional('memory.memsw.limit_in_bytes', swap);
  const rises = swap !== undefined && memoryAndSwap >= 0 && (swap < 0 || swap > memoryAndSwap);
  return rises ? [...swapSetting, ...limitSetting] : [...limitSetting, ...swapSetting];
}

function checkSwap({ limit: wanted, swap }: Memory, current: CurrentLimits): void {
  if (!swap || swap < 0) return;
  const limit = wanted || current.memory;
  if (!limit || limit < 0) {
    throw new HullError(
      `Cannot limit memory plus swap to ${swap} bytes: found no memory limit, wanted one as well`,
      { kind: 'invalid' },
    );
  }
  if (swap < limit) {
    throw new HullError(
      `Cannot limit memory plus swap: found ${swap} bytes, wanted at least the memory limit of ${limit}`,
      { kind: 'invalid' },
    );
  }
}

const swapAlone = (memoryAndSwap: number, limit = 0): number =>
  memoryAndSwap < 0 ? -1 : memoryAndSwap - limit;

const set = (file: string, value: string): Setting => ({ controller: 'memory', file, value });

const optional = (file: string, bytes: number | undefined): Setting[] =>
  bytes ? [set(file, String(bytes))] : [];
