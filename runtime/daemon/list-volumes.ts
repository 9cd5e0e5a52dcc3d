import type { Engine } from '../containers/engine.ts';
import { usersOfVolume } from '../containers/mounts/volume-use.ts';
import type { StoredVolume } from '../volumes/volume-record.ts';
import { sizeOfVolume } from '../volumes/volume-size.ts';
import { filtersOf } from './call.ts';
import { hasLabel } from './list-containers.ts';
import { volumeView } from './volume-views.ts';

/** GET /volumes. A damaged record is a warning. */
export async function listVolumes(engine: Engine, query: URLSearchParams): Promise<unknown> {
  const filters = filtersOf(query, ['dangling', 'driver', 'label', 'name']);
  const all = await engine.volumes.list();
  const shown = all.filter((volume) =>
    [...filters].every(([name, values]) => passes(engine, volume, name, values)),
  );
  return {
    Volumes: shown.map(volumeView),
    Warnings: shown.flatMap(({ name, damage }) =>
      damage === undefined ? [] : [`volume ${name}: ${damage}`],
    ),
  };
}

/** The same for GET /system/df, with size and number of containers. */
export async function volumeUsage(engine: Engine): Promise<readonly object[]> {
  const all = await engine.volumes.list();
  return await Promise.all(
    all.map(async (volume) => ({
      ...volumeView(volume),
      UsageData: { RefCount: usersOfVolume(engine, volume.name).length, Size: await sizeOfVolume(volume) },
    })),
  );
}

function passes(engine: Engine, volume: StoredVolume, filter: string, values: readonly string[]): boolean {
  switch (filter) {
    case 'dangling': {
      const isUnused = usersOfVolume(engine, volume.name).length === 0;
      return values.some((value) => ['1', 'true'].includes(value) === isUnused);
    }
    case 'driver':
      return values.includes('local');
    case 'label':
      return values.every((value) => hasLabel(volume.labels, value));
    default:
      return values.some((value) => volume.name.includes(value));
  }
}
