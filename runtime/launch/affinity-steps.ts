import { HullError } from '../base/errors.ts';
import type { Process } from '../base/oci.ts';
import { address, type ProgramBuilder } from './program-builder.ts';

/**
 * `process.execCPUAffinity`: the processors an exec runs on, `initial` before it is in the container's cgroup, `final` from then on.
 * It is not for a container's first process (config.md).
 */
export function bindToProcessors(
  p: ProgramBuilder,
  when: 'initial' | 'final',
  { execCPUAffinity }: Pick<Process, 'execCPUAffinity'>,
): void {
  const list = execCPUAffinity?.[when];
  if (list === undefined || list === '') return;
  const mask = processorMask(list, `process.execCPUAffinity.${when}`);
  p.call('sched_setaffinity', [0, mask.length, address(p.bytes(`cpu_set {${list}}`, mask))], {
    what: `run on processors ${list} (process.execCPUAffinity.${when})`,
  });
}

/** The kernel's highest number of processors (NR_CPUS). */
const most = 8192;

/** A list as cpuset.cpus has it, `0-3,7`, as a mask of 64-bit words. */
export function processorMask(list: string, field: string): Buffer {
  const numbers = list.split(',').flatMap((part) => {
    const [, first, last = first] = /^\s*(\d{1,4})(?:-(\d{1,4}))?\s*$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === undefined || from > to || to >= most)
      throw new HullError(`Cannot use ${field} ${JSON.stringify(list)}: wanted a list as "0-3,7"`, {
        kind: 'invalid',
      });
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
  const mask = Buffer.alloc(8 * (Math.floor(Math.max(...numbers) / 64) + 1));
  for (const number of numbers) mask[number >> 3] = (mask[number >> 3] ?? 0) | (1 << (number & 7));
  return mask;
}
