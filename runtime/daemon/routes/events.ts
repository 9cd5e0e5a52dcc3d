import type { Engine } from '../../containers/engine.ts';
import type { EngineEvent } from '../../containers/events.ts';
import { filtersOf } from '../call.ts';
import { hasLabel } from '../list-containers.ts';
import type { Route } from '../router.ts';
import { parseTime } from '../times.ts';

/** GET /events: what is kept since `since`, then what happens until `until` or the client leaves. */
export function eventRoutes(engine: Engine): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/events',
      handle: async ({ query, response, signal }) => {
        const since = parseTime(query, 'since');
        const until = parseTime(query, 'until');
        const filters = filtersOf(query, [
          'type',
          'event',
          'container',
          'image',
          'volume',
          'label',
          'daemon',
          'scope',
        ]);
        const wanted = (event: EngineEvent) =>
          (until === undefined || nanoseconds(event) <= until) &&
          [...filters].every(([name, values]) => passes(event, name, values));
        const send = (event: EngineEvent) => {
          if (wanted(event)) response.write(`${JSON.stringify(event)}\n`);
        };
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.flushHeaders();
        if (since !== undefined || until !== undefined) {
          for (const event of engine.events.kept())
            if (since === undefined || nanoseconds(event) >= since) send(event);
        }
        const stop = engine.events.listen(send);
        await ending(signal, until);
        stop();
        response.end();
        return undefined;
      },
    },
  ];
}

function passes(event: EngineEvent, filter: string, values: readonly string[]): boolean {
  const { Attributes, ID } = event.Actor;
  switch (filter) {
    case 'type':
      return values.includes(event.Type);
    case 'event':
      // `exec_create: sh` is found by `exec_create`.
      return values.includes(event.Action) || values.includes(event.Action.split(':')[0] ?? '');
    case 'container':
      return (
        event.Type === 'container' &&
        values.some((value) => ID.startsWith(value) || Attributes['name'] === value)
      );
    case 'image':
      return values.some((value) => [ID, Attributes['name'], Attributes['image']].includes(value));
    case 'label':
      return values.every((value) => hasLabel(Attributes, value));
    case 'scope':
      return values.includes(event.scope);
    default:
      return event.Type === filter && values.includes(ID);
  }
}

function ending(signal: AbortSignal, until: bigint | undefined): Promise<void> {
  return new Promise((resolve) => {
    const left = until === undefined ? undefined : Number(until / 1_000_000n) - Date.now();
    const timer = left === undefined ? undefined : setTimeout(resolve, Math.max(0, left));
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}

function nanoseconds(event: EngineEvent): bigint {
  return BigInt(event.timeNano);
}
