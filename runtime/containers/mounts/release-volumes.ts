import type { Container } from '../container.ts';
import type { Engine } from '../engine.ts';
import { publishVolume } from '../publish.ts';
import { isVolumeNeeded, usersOfVolume, volumesOf } from './volume-use.ts';

/** Unmounts the container's volumes with options from the host where no other container needs them. */
export async function releaseVolumes(engine: Engine, { id, record }: Container): Promise<void> {
  for (const { name } of volumesOf(record.mounts)) {
    await engine.volumes.unmount(name, () => isVolumeNeeded(engine, name, id));
  }
}

/** Removes what nobody but this container has and nobody named. One that is in use elsewhere stays. */
export async function removeAnonymousVolumes(engine: Engine, container: Container): Promise<void> {
  for (const { name, anonymous } of volumesOf(container.record.mounts)) {
    if (!anonymous) continue;
    const users = () => usersOfVolume(engine, name, container.id);
    if (await engine.volumes.removeUnused(name, { users }))
      publishVolume(engine, 'destroy', name, { driver: 'local' });
  }
}
