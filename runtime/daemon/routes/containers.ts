import { createContainer } from '../../containers/create.ts';
import type { Engine } from '../../containers/engine.ts';
import type { ExecTable } from '../../containers/exec-table.ts';
import { killContainer } from '../../containers/kill.ts';
import { pauseContainer, unpauseContainer } from '../../containers/pause.ts';
import { removeContainer } from '../../containers/remove.ts';
import { renameContainer } from '../../containers/rename.ts';
import { restartContainer } from '../../containers/restart.ts';
import { startContainer } from '../../containers/start.ts';
import { type StopOptions, stopContainer } from '../../containers/stop.ts';
import { topContainer } from '../../containers/top.ts';
import { type Call, flagOf, integerOf, jsonBody, param, type Reply } from '../call.ts';
import { inspectView } from '../container-views.ts';
import { listContainers } from '../list-containers.ts';
import type { Route } from '../router.ts';

/** Docker Engine API, "Containers": everything with a plain answer. */
export function containerRoutes(engine: Engine, execs: ExecTable): readonly Route[] {
  const find = (call: Call) => engine.containers.get(param(call, 'id'));
  const done: Reply = { status: 204 };
  return [
    {
      method: 'GET',
      path: '/containers/json',
      handle: (call) => ({ json: listContainers(engine, call.query) }),
    },
    {
      method: 'POST',
      path: '/containers/create',
      handle: async (call) => {
        const name = call.query.get('name') ?? undefined;
        const platform = call.query.get('platform') ?? '';
        const { id, warnings } = await createContainer(engine, await jsonBody(call), name, { platform });
        return { status: 201, json: { Id: id, Warnings: warnings } };
      },
    },
    {
      method: 'GET',
      path: '/containers/:id/json',
      handle: (call) => ({ json: inspectView(engine, execs, find(call)) }),
    },
    {
      method: 'POST',
      path: '/containers/:id/start',
      handle: async (call) => {
        await startContainer(engine, find(call));
        return done;
      },
    },
    {
      method: 'POST',
      path: '/containers/:id/stop',
      handle: async (call) => {
        await stopContainer(engine, find(call), stopOptions(call));
        return done;
      },
    },
    {
      method: 'POST',
      path: '/containers/:id/restart',
      handle: async (call) => {
        await restartContainer(engine, find(call), stopOptions(call));
        return done;
      },
    },
    {
      method: 'POST',
      path: '/containers/:id/kill',
      handle: async (call) => {
        await killContainer(engine, find(call), call.query.get('signal') || 'SIGKILL');
        return done;
      },
    },
    {
      method: 'POST',
      path: '/containers/:id/pause',
      handle: async (call) => {
        await pauseContainer(engine, find(call));
        return done;
      },
    },
    {
      method: 'POST',
      path: '/containers/:id/unpause',
      handle: async (call) => {
        await unpauseContainer(engine, find(call));
        return done;
      },
    },
    {
      method: 'POST',
      path: '/containers/:id/rename',
      handle: async (call) => {
        await renameContainer(engine, find(call), call.query.get('name') ?? '');
        return done;
      },
    },
    {
      method: 'GET',
      path: '/containers/:id/top',
      handle: async (call) => ({
        json: await topContainer(engine, find(call), call.query.get('ps_args') || '-ef'),
      }),
    },
    {
      // hull's own: what `hull explain` shows.
      method: 'GET',
      path: '/containers/:id/explain',
      handle: async (call) => {
        const { explainContainer } = await import('../../containers/launch-request.ts');
        return { json: { Text: await explainContainer(engine, find(call)) } };
      },
    },
    {
      method: 'DELETE',
      path: '/containers/:id',
      handle: async (call) => {
        await removeContainer(engine, find(call), {
          force: flagOf(call.query, 'force'),
          volumes: flagOf(call.query, 'v'),
        });
        return done;
      },
    },
  ];
}

function stopOptions({ query }: Call): StopOptions {
  return { seconds: integerOf(query, 't'), signal: query.get('signal') ?? undefined };
}
