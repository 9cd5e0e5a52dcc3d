import { HullError } from '../../base/errors.ts';
import { attachInput, attachOutput } from '../../containers/attach.ts';
import { parseDetachKeys, untilDetached } from '../../containers/detach-keys.ts';
import type { Engine } from '../../containers/engine.ts';
import { containerLogs } from '../../containers/logs.ts';
import { publishContainer } from '../../containers/publish.ts';
import { resizeContainer } from '../../containers/resize.ts';
import { type WaitCondition, waitForContainer } from '../../containers/wait.ts';
import { type Call, flagOf, param } from '../call.ts';
import { openConversation } from '../conversation.ts';
import type { Route } from '../router.ts';
import { parseTime } from '../times.ts';
import { windowSizeOf } from '../window-size-query.ts';

/** Docker Engine API, "Containers": what answers while something goes on. */
export function containerStreamRoutes(engine: Engine): readonly Route[] {
  const find = (call: Call) => engine.containers.get(param(call, 'id'));
  return [
    {
      method: 'POST',
      path: '/containers/:id/wait',
      handle: async (call) => {
        const { response, signal } = call;
        const waiting = waitForContainer(find(call), conditionOf(call.query), signal);
        // The client goes on (to start the container) as soon as it has the headers.
        response.writeHead(200, { 'Content-Type': 'application/json' });
        response.flushHeaders();
        const { exitCode } = await waiting;
        response.end(`${JSON.stringify({ StatusCode: exitCode })}\n`);
        return undefined;
      },
    },
    {
      method: 'GET',
      path: '/containers/:id/logs',
      handle: async (call) => {
        const { query, signal } = call;
        const stdout = flagOf(query, 'stdout');
        const stderr = flagOf(query, 'stderr');
        if (!stdout && !stderr) {
          throw new HullError('Cannot read logs: you must choose at least one of stdout and stderr', {
            kind: 'invalid',
          });
        }
        const since = parseTime(query, 'since');
        const until = parseTime(query, 'until');
        const container = find(call);
        const raw = container.record.config.Tty;
        const chunks = containerLogs(
          engine,
          container,
          {
            stdout,
            stderr,
            follow: flagOf(query, 'follow'),
            timestamps: flagOf(query, 'timestamps'),
            tail: tailOf(query),
            ...(since === undefined ? {} : { since }),
            ...(until === undefined ? {} : { until }),
          },
          signal,
        );
        const client = openConversation({ ...call, socket: undefined }, raw);
        for await (const { stream, data } of chunks) await client.write(stream, data);
        client.end();
        return undefined;
      },
    },
    {
      method: 'POST',
      path: '/containers/:id/attach',
      handle: async (call) => {
        const { query, socket } = call;
        const container = find(call);
        const { Tty, OpenStdin } = container.record.config;
        const keys = parseDetachKeys(query.get('detachKeys') ?? '');
        const wanted = {
          stdout: flagOf(query, 'stdout'),
          stderr: flagOf(query, 'stderr'),
          logs: flagOf(query, 'logs'),
          stream: flagOf(query, 'stream'),
        };
        const detached = new AbortController();
        const signal = AbortSignal.any([call.signal, detached.signal]);
        const chunks = await attachOutput(engine, container, wanted, signal);
        const client = openConversation(call, Tty);
        // Only a connection that was taken over has an input of its own: a plain request's body is its options.
        if (socket && flagOf(query, 'stdin') && OpenStdin) {
          // The end of the input must not take the socket with it: the output goes on.
          const input: AsyncIterable<Buffer> = client.input.iterator({ destroyOnReturn: false });
          const typed = Tty ? untilDetached(input, keys, () => detached.abort()) : input;
          attachInput(engine, container, typed, signal).catch(() => undefined);
        } else {
          client.input.resume();
        }
        for await (const { stream, data } of chunks) await client.write(stream, data);
        if (detached.signal.aborted) publishContainer(engine, container, 'detach');
        client.end();
        return undefined;
      },
    },
    {
      method: 'POST',
      path: '/containers/:id/resize',
      handle: async (call) => {
        await resizeContainer(engine, find(call), windowSizeOf(call.query));
        return { status: 200 };
      },
    },
  ];
}

function conditionOf(query: URLSearchParams): WaitCondition {
  const value = query.get('condition') || 'not-running';
  if (value === 'not-running' || value === 'next-exit' || value === 'removed') return value;
  throw new HullError(
    `Cannot wait for condition ${JSON.stringify(value)}: wanted not-running, next-exit or removed`,
    { kind: 'invalid' },
  );
}

function tailOf(query: URLSearchParams): number | 'all' {
  const value = query.get('tail') || 'all';
  // As Docker: what is no number means everything.
  return /^\d+$/.test(value) ? Number(value) : 'all';
}
