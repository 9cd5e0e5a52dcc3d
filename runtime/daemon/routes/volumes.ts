import { HullError } from '../../base/errors.ts';
import type { Engine } from '../../containers/engine.ts';
import { usersOfVolume } from '../../containers/mounts/volume-use.ts';
import { publishVolume } from '../../containers/publish.ts';
import { flagOf, jsonBody, param } from '../call.ts';
import { listVolumes } from '../list-volumes.ts';
import { pruneVolumes } from '../prune-volumes.ts';
import type { Route } from '../router.ts';
import { volumeView } from '../volume-views.ts';

/** Docker Engine API, "Volumes". */
export function volumeRoutes(engine: Engine): readonly Route[] {
  const { volumes } = engine;
  return [
    {
      method: 'GET',
      path: '/volumes',
      handle: async ({ query }) => ({ json: await listVolumes(engine, query) }),
    },
    {
      method: 'POST',
      path: '/volumes/create',
      handle: async (call) => {
        const { parseVolumeRequest } = await import('../volume-request.ts');
        const volume = await volumes.create(parseVolumeRequest(await jsonBody(call)));
        if (volume.isNew) publishVolume(engine, 'create', volume.name, { driver: 'local' });
        return { status: 201, json: volumeView(volume) };
      },
    },
    {
      method: 'GET',
      path: '/volumes/:name',
      handle: async (call) => ({ json: volumeView(await volumes.get(param(call, 'name'))) }),
    },
    {
      method: 'DELETE',
      path: '/volumes/:name',
      handle: async (call) => {
        const name = param(call, 'name');
        const force = flagOf(call.query, 'force');
        try {
          await volumes.remove(name, { users: () => usersOfVolume(engine, name) });
        } catch (error) {
          if (force && error instanceof HullError && error.kind === 'not-found') return { status: 204 };
          throw error;
        }
        publishVolume(engine, 'destroy', name, { driver: 'local' });
        return { status: 204 };
      },
    },
    {
      method: 'POST',
      path: '/volumes/prune',
      handle: async ({ query }) => ({ json: await pruneVolumes(engine, query) }),
    },
  ];
}
