import { HullError } from '../../base/errors.ts';
import { sizeOfChanges } from '../../containers/changes.ts';
import type { Container } from '../../containers/container.ts';
import type { Engine } from '../../containers/engine.ts';
import { usageOf } from '../../images/image-usage.ts';
import { listView } from '../container-views.ts';
import { imageUse } from '../image-use.ts';
import { imageView } from '../image-views.ts';
import { volumeUsage } from '../list-volumes.ts';
import { pruneContainers, pruneImages } from '../prune.ts';
import type { Route } from '../router.ts';

/** What takes room, and giving it back. */
export function usageRoutes(engine: Engine): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/system/df',
      handle: async ({ query }) => ({ json: await usage(engine, query) }),
    },
    {
      method: 'POST',
      path: '/containers/prune',
      handle: async ({ query }) => ({ json: await pruneContainers(engine, query) }),
    },
    {
      method: 'POST',
      path: '/images/prune',
      handle: async ({ query }) => ({ json: await pruneImages(engine, query) }),
    },
  ];
}

/** GET /system/df. Without `type` all there is. */
async function usage(engine: Engine, query: URLSearchParams): Promise<unknown> {
  const types = query.getAll('type');
  const shows = (type: string) => types.length === 0 || types.includes(type);
  const images = await engine.images.list();
  const { total, shared } = usageOf(images);
  const use = imageUse(engine);
  const now = Date.now();
  const sizes = new Map(images.map(({ id, size }) => [id, size]));
  const containerView = async (container: Container) => {
    const own = await ownSize(engine, container);
    const below = sizes.get(container.record.image.id) ?? 0;
    return { ...listView(engine, container, now), SizeRw: own, SizeRootFs: own + below };
  };
  return {
    LayersSize: total,
    Images: shows('image')
      ? images.map((image) => ({
          ...imageView(image, use.get(image.id)?.length ?? 0),
          SharedSize: shared.get(image.id) ?? 0,
        }))
      : null,
    Containers: shows('container') ? await Promise.all(engine.containers.list().map(containerView)) : null,
    Volumes: shows('volume') ? await volumeUsage(engine) : null,
    BuildCache: shows('build-cache') ? [] : null,
    BuilderSize: 0,
  };
}

/** 0 for one that cannot be read now: being removed, damaged, held. */
async function ownSize(engine: Engine, container: Container): Promise<number> {
  try {
    return await sizeOfChanges(engine, container);
  } catch (error) {
    if (error instanceof HullError) return 0;
    throw error;
  }
}
