import type { Engine } from '../../containers/engine.ts';
import type { Route } from '../router.ts';

/** Docker Engine API, "Images": the classic builder. It is loaded with the first build. */
export function buildRoutes(engine: Engine): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/build',
      handle: async (call) => {
        const { serveBuild } = await import('../serve-build.ts');
        await serveBuild(engine, call);
        return undefined;
      },
    },
    {
      // The cache of the classic builder are images, which /images/prune removes: there is no other.
      method: 'POST',
      path: '/build/prune',
      handle: () => ({ json: { CachesDeleted: null, SpaceReclaimed: 0 } }),
    },
  ];
}
