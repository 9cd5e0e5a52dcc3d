import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Container } from '../../containers/container.ts';
import type { Engine } from '../../containers/engine.ts';
import { type StatsSample, sampleContainer } from '../../containers/stats.ts';
import { type Call, flagOf, jsonBody, param, type Reply } from '../call.ts';
import type { Route } from '../router.ts';
import { statsView } from '../stats-view.ts';

/** Docker Engine API, "Containers": what they may use, and what they use. */
export function containerResourceRoutes(engine: Engine): readonly Route[] {
  const find = (call: Call) => engine.containers.get(param(call, 'id'));
  return [
    {
      method: 'POST',
      path: '/containers/:id/update',
      handle: async (call) => {
        // Validation brings a library that nothing else at start-up needs.
        const { updateContainer } = await import('../../containers/update.ts');
        const warnings = await updateContainer(engine, find(call), await jsonBody(call));
        return { json: { Warnings: warnings } };
      },
    },
    {
      method: 'GET',
      path: '/containers/:id/stats',
      handle: async (call) => {
        const container = find(call);
        if (flagOf(call.query, 'stream', true)) return await streamStats(engine, container, call);
        return await oneSample(engine, container, call);
      },
    },
  ];
}

const betweenSamplesMs = 1000;

/** With `one-shot` at once; else after a second, so that there is something to compare with. */
async function oneSample(engine: Engine, container: Container, { query, signal }: Call): Promise<Reply> {
  const first = await sampleContainer(engine, container);
  if (!first || flagOf(query, 'one-shot')) return { json: view(engine, container, first, undefined) };
  await sleep(betweenSamplesMs, undefined, { signal });
  return { json: view(engine, container, await sampleContainer(engine, container), first) };
}

/** A line a second, until the client leaves or the container is removed; while it does not run, lines of zeros. */
async function streamStats(engine: Engine, container: Container, { response, signal }: Call): Promise<Reply> {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  response.flushHeaders();
  let before: StatsSample | undefined;
  while (!container.gone && !signal.aborted) {
    const now = await sampleContainer(engine, container);
    const taken = response.write(`${JSON.stringify(view(engine, container, now, now && before))}\n`);
    if (!taken) await once(response, 'drain', { signal }).catch(() => undefined);
    before = now;
    await sleep(betweenSamplesMs, undefined, { signal }).catch(() => undefined);
  }
  response.end();
  return undefined;
}

function view(
  engine: Engine,
  { id, name }: Container,
  now: StatsSample | undefined,
  before: StatsSample | undefined,
): unknown {
  return statsView({ id, name, version: engine.cgroups.mode === 'v2' ? 2 : 1 }, now, before);
}
