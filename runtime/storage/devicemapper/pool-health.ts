import { HullError } from '../../base/errors.ts';
import type { PoolStatus } from './tables.ts';

interface Pool {
  readonly name: string;
  readonly metadata: string;
}

/** Kind `unavailable` where the kernel has stopped the pool: nothing in it can be made or written, however little it is. */
export function requireWorkingPool({ name, metadata }: Pool, { mode, needsCheck }: PoolStatus): void {
  if (mode === 'Fail' || needsCheck) {
    throw new HullError(`Cannot use the pool ${name}: its metadata must be checked (mode ${mode})`, {
      kind: 'unavailable',
      hint: `Stop everything, then: thin_check --clear-needs-check-flag ${metadata}`,
    });
  }
  if (mode !== 'ro') return;
  throw new HullError(
    `Cannot use the pool ${name}: the kernel made it read-only, as it does when its metadata is full`,
    {
      kind: 'unavailable',
      hint: 'Stop the daemon so that the pool goes, and see "dmesg"; a larger dm.loopmetadatasize needs a new data root.',
    },
  );
}

/** Kind `exhausted` while there is still room, so that the containers that run can go on writing. */
export function requireFreeSpace(
  id: string,
  minFree: number,
  { dataUsed, dataTotal, metadataUsed, metadataTotal }: PoolStatus,
): void {
  for (const [what, used, total] of [
    ['data', dataUsed, dataTotal],
    ['metadata', metadataUsed, metadataTotal],
  ] as const) {
    const free = 1 - used / total;
    if (free >= minFree && used < total) continue;
    const percent = (part: number) => `${Math.floor(part * 100)}%`;
    throw new HullError(
      `Cannot create layer ${id}: ${percent(free)} of the pool's ${what} blocks are free, wanted at least ${percent(minFree)} (dm.min_free_space)`,
      { kind: 'exhausted', hint: 'Remove containers and images that are not needed.' },
    );
  }
}
