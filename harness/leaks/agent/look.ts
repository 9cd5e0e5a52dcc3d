import type { StateFolder } from '../types.ts';
import { blockThings } from './block.ts';
import { cgroupHierarchies, cgroupThings } from './cgroups.ts';
import { fileThings } from './files.ts';
import { type KernelLog, sysctlThings } from './kernel.ts';
import { type MountTable, mountTables, mountThings } from './mounts.ts';
import { linkThings, socketThings } from './network.ts';
import type { NftRules } from './nft.ts';
import { openNamespaceThings } from './open-files.ts';
import { namespaceThings, type Process, type ProcessTable, processThings } from './processes.ts';
import { collect, type Thing, type Things } from './thing.ts';
import type { ZfsDatasets } from './zfs.ts';

/** The host at one moment. */
export interface Look {
  readonly things: Things;
  readonly processes: ReadonlyMap<number, Process>;
  readonly tables: readonly MountTable[];
}

export interface Eyes {
  readonly processTable: ProcessTable;
  readonly kernelLog: KernelLog;
  readonly nft: NftRules;
  readonly zfs: ZfsDatasets;
  readonly stateFolders: readonly StateFolder[];
}

export async function look({ processTable, kernelLog, nft, zfs, stateFolders }: Eyes): Promise<Look> {
  const later = [nft.look(), zfs.look()];
  const processes = processTable.look();
  const tables = mountTables(processes);
  const mountPoints = new Set(tables[0]?.mounts.map(({ target }) => target));
  const seen = (function* (): Generator<Thing> {
    // Namespaces that a process is in come last: that is the better name of one that is open or mounted as well.
    yield* mountThings(tables);
    yield* openNamespaceThings(processes);
    yield* namespaceThings(processes);
    yield* processThings(processes);
    yield* blockThings();
    yield* cgroupThings(cgroupHierarchies(tables[0]));
    yield* linkThings();
    yield* socketThings();
    yield* fileThings(stateFolders, mountPoints);
    yield* sysctlThings();
    yield* kernelLog.look();
  })();
  const things = collect(seen);
  for (const asked of later) for (const [kind, more] of collect(await asked)) things.set(kind, more);
  return { things, processes, tables };
}
