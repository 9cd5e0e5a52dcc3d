import { HullError } from '../base/errors.ts';
import { sizeOfChanges } from '../containers/changes.ts';
import type { Engine } from '../containers/engine.ts';
import { isAlive } from '../containers/record.ts';
import { removeContainer } from '../containers/remove.ts';
import type { Image, ImageRemoval } from '../images/image-store.ts';
import { usageOf } from '../images/image-usage.ts';
import { filtersOf } from './call.ts';
import { imageUse } from './image-use.ts';
import { hasLabel } from './list-containers.ts';
import { parseUntil } from './time-filter.ts';

/** POST /containers/prune: those that do not run and are not on their way. */
export async function pruneContainers(engine: Engine, query: URLSearchParams): Promise<unknown> {
  const filters = filtersOf(query, ['until', 'label', 'label!']);
  const fits = timeAndLabels(filters);
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const container of engine.containers.list()) {
    const { kind } = container.state;
    if (kind !== 'created' && kind !== 'exited') continue;
    if (!fits(Date.parse(container.record.createdAt), container.record.config.Labels)) continue;
    try {
      const size = await sizeOfChanges(engine, container);
      await removeContainer(engine, container, { force: false });
      deleted.push(container.id);
      reclaimed += size;
    } catch (error) {
      // Started, removed or held meanwhile: it is none of those that are left over.
      if (!(error instanceof HullError) || isAlive(container.state)) continue;
      engine.log.warn('container not pruned', { id: container.id, error: error.message });
    }
  }
  return { ContainersDeleted: deleted.length > 0 ? deleted : null, SpaceReclaimed: reclaimed };
}

/** POST /images/prune: images without a name, or with `dangling=false` all that no container uses. */
export async function pruneImages(engine: Engine, query: URLSearchParams): Promise<unknown> {
  const filters = filtersOf(query, ['dangling', 'until', 'label', 'label!']);
  const fits = timeAndLabels(filters);
  const isAll = (filters.get('dangling') ?? []).some((value) => ['0', 'false'].includes(value));
  const before = usageOf(await engine.images.list()).total;
  const removals: ImageRemoval[] = [];
  for (let again = true; again; ) {
    again = false;
    const use = imageUse(engine);
    const images = await engine.images.list();
    const parents = new Set(images.map(({ parent }) => parent));
    for (const image of images) {
      const isNamed = image.tags.length + image.repoDigests.length > 0;
      if (parents.has(image.id) || use.has(image.id) || (isNamed && !isAll)) continue;
      if (!fits(Date.parse(image.createdAt), image.config.config?.Labels ?? {})) continue;
      const gone = await removeQuietly(engine, image, use);
      removals.push(...gone);
      // A parent may have lost its last child.
      again ||= gone.length > 0;
    }
  }
  const after = usageOf(await engine.images.list()).total;
  return {
    ImagesDeleted:
      removals.length > 0
        ? removals.map((removal) =>
            'untagged' in removal ? { Untagged: removal.untagged } : { Deleted: removal.deleted },
          )
        : null,
    SpaceReclaimed: before - after,
  };
}

async function removeQuietly(
  engine: Engine,
  { id }: Image,
  usedBy: ReturnType<typeof imageUse>,
): Promise<readonly ImageRemoval[]> {
  try {
    return await engine.images.remove(id, { force: true, usedBy, keepParents: true });
  } catch (error) {
    if (!(error instanceof HullError)) throw error;
    engine.log.warn('image not pruned', { id, error: error.message });
    return [];
  }
}

/** `until` is a moment, or a time back from now as `24h` or `1h30m`; labels are there, or with `!` are not. */
function timeAndLabels(
  filters: ReadonlyMap<string, readonly string[]>,
): (createdMs: number, labels: Readonly<Record<string, string>>) => boolean {
  const limits = (filters.get('until') ?? []).map(parseUntil);
  return (createdMs, labels) => limits.every((limit) => createdMs < limit) && labelsFit(filters, labels);
}

/** `label` has to be there, `label!` must not. */
export function labelsFit(
  filters: ReadonlyMap<string, readonly string[]>,
  labels: Readonly<Record<string, string>>,
): boolean {
  const [wanted, unwanted] = [filters.get('label') ?? [], filters.get('label!') ?? []];
  return (
    wanted.every((label) => hasLabel(labels, label)) && !unwanted.some((label) => hasLabel(labels, label))
  );
}
