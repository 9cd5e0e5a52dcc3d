import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../base/errors.ts';
import { homeOf } from '../apply-limits.ts';
import { ifGone, readValue } from '../files.ts';
import type { Hierarchy } from '../hierarchies.ts';
import {
  type HugetlbStats,
  hugetlbStats,
  type MiscStats,
  miscStats,
  type PidsStats,
  pidsStats,
  type RdmaStats,
  rdmaStats,
} from './counted-stats.ts';
import { type CpuStats, cpuStats } from './cpu-stats.ts';
import { type IoStats, ioStats } from './io-stats.ts';
import { type MemoryStats, memoryStats } from './memory-stats.ts';
import { type Pressure, pressureStats } from './pressure-stats.ts';
import type { Reader } from './reader.ts';

/**
 * What a group has used, a part a controller. A part that this kernel, host or group does not count is absent, and all are
 * where the group is gone.
 */
export interface CgroupStats {
  readonly cpu?: CpuStats;
  readonly memory?: MemoryStats;
  readonly io?: IoStats;
  readonly pids?: PidsStats;
  readonly hugetlb?: HugetlbStats;
  readonly rdma?: RdmaStats;
  readonly misc?: MiscStats;
  readonly pressure?: { readonly cpu?: Pressure; readonly memory?: Pressure; readonly io?: Pressure };
}

/** From the files of a group in every hierarchy of the host. */
export function readStats(hierarchies: readonly Hierarchy[], path: string): CgroupStats {
  const v2 = hierarchies.find(({ version }) => version === 2);
  const inV2 = v2 && groupReader(v2, path);
  const of = (controller: string, nameV2 = controller): Reader | undefined => {
    const home = homeOf(hierarchies, controller) ?? homeOf(hierarchies, nameV2);
    return home && groupReader(home, path);
  };
  const part = <T>(reader: Reader | undefined, read: (reader: Reader) => T | undefined) =>
    reader && read(reader);
  // v2 counts processor time also where the controller is not enabled.
  const accounting = of('cpuacct') ?? (homeOf(hierarchies, 'cpu')?.version === 1 ? undefined : inV2);
  return present({
    cpu: cpuStats(accounting ?? inV2, of('cpu') ?? inV2),
    memory: part(of('memory'), memoryStats),
    io: part(of('blkio', 'io'), ioStats),
    pids: part(of('pids'), pidsStats),
    hugetlb: part(of('hugetlb'), hugetlbStats),
    rdma: part(of('rdma'), rdmaStats),
    misc: part(of('misc'), miscStats),
    pressure: part(inV2, (reader) => {
      const found = present({
        cpu: pressureStats(reader, 'cpu'),
        memory: pressureStats(reader, 'memory'),
        io: pressureStats(reader, 'io'),
      });
      return Object.keys(found).length === 0 ? undefined : found;
    }),
  });
}

export function groupReader({ version, root }: Hierarchy, path: string): Reader {
  const folder = join(root, path);
  return {
    version,
    names: () => ifGone(() => readdirSync(folder)) ?? [],
    text: (file) => {
      try {
        return readValue(join(folder, file));
      } catch (error) {
        // Counters that are there and off: pressure without psi=1, swap without accounting.
        if (['EOPNOTSUPP', 'ENOTSUP', 'EIO', 'EINVAL'].includes(codeOf(error) ?? '')) return undefined;
        throw error;
      }
    },
  };
}

type Present<T> = { readonly [K in keyof T]?: NonNullable<T[K]> };

function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
