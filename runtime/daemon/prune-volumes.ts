import { HullError } from '../base/errors.ts';
import type { Engine } from '../containers/engine.ts';
import { usersOfVolume } from '../containers/mounts/volume-use.ts';
import { publishVolume } from '../containers/publish.ts';
import { anonymousLabel, hasOptions } from '../volumes/volume.ts';
import { sizeOfVolume } from '../volumes/volume-size.ts';
import { filtersOf } from './call.ts';
import { labelsFit } from './prune.ts';

/**
 * POST /volumes/prune: volumes that no container uses and that nobody named; with `all` the named ones, too. Those with
 * options stay, as in Docker: their files are somewhere else.
 */
export async function pruneVolumes(engine: Engine, query: URLSearchParams): Promise<unknown> {
  const filters = filtersOf(query, ['all', 'label', 'label!']);
  const isAll = (filters.get('all') ?? []).some((value) => ['1', 'true'].includes(value));
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const volume of await engine.volumes.list()) {
    const { name, labels, damage } = volume;
    if (damage !== undefined || hasOptions(volume) || !labelsFit(filters, labels)) continue;
    if (!isAll && labels[anonymousLabel] === undefined) continue;
    const users = () => usersOfVolume(engine, name);
    if (users().length > 0) continue;
    try {
      const size = await sizeOfVolume(volume);
      if (!(await engine.volumes.removeUnused(name, { users }))) continue;
      deleted.push(name);
      reclaimed += size;
      publishVolume(engine, 'destroy', name, { driver: 'local' });
    } catch (error) {
      if (!(error instanceof HullError)) throw error;
      engine.log.warn('volume not pruned', { name, error: error.message });
    }
  }
  return { VolumesDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: reclaimed };
}
