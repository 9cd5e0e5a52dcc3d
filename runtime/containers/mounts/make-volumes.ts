import { HullError } from '../../base/errors.ts';
import { resolveInTree } from '../../images/tar-writing/resolve.ts';
import { type HeldTree, openTree } from '../../storage/with-tree.ts';
import type { FillSource } from '../../volumes/volume-store.ts';
import type { Container } from '../container.ts';
import type { Engine } from '../engine.ts';
import { publishVolume } from '../publish.ts';
import type { ChosenMounts } from './choose-mounts.ts';
import { releaseVolumes } from './release-volumes.ts';
import { volumesOf } from './volume-use.ts';

/**
 * Afterwards the volumes of a new container are there, and those that were empty have what its image has at their mount points. Its record
 * names them already, so nobody removes them meanwhile. Kind `invalid`: the image has a file there, or the options do not fit.
 */
export async function makeVolumes(
  engine: Engine,
  container: Container,
  wishes: ChosenMounts['volumes'],
): Promise<void> {
  for (const wish of wishes) {
    const { isNew } = await engine.volumes.create(wish);
    if (isNew) publishVolume(engine, 'create', wish.name, { driver: 'local' });
  }
  let tree: HeldTree | undefined;
  try {
    for (const { name, copy, destination } of volumesOf(container.record.mounts)) {
      if (!copy) continue;
      const left = await engine.volumes.fill(name, async () => {
        tree ??= await openTree(engine.driver, container.id);
        return folderAt(tree.path, destination);
      });
      for (const line of left) engine.log.warn('not all copied into a volume', { volume: name, line });
    }
  } finally {
    await tree?.[Symbol.asyncDispose]();
    await releaseVolumes(engine, container);
  }
}

function folderAt(root: string, destination: string): FillSource | undefined {
  using found = resolveInTree(root, Buffer.from(destination).toString('latin1'), true);
  if (!found) return undefined;
  const folder = found.folder.enter(found.name === '' ? '.' : found.name);
  if (folder) return { folder, [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() };
  throw new HullError(
    `Cannot create a container: cannot mount volume over existing file, file exists ${destination}`,
    { kind: 'invalid' },
  );
}
