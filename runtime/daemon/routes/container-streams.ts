import { HullError } from '../../base/errors.ts';
import { attachInput, attachOutput } from '../../containers/attach.ts';
import type { Engine } from '../../containers/engine.ts';
import { containerLogs } from '../../containers/logs.ts';
import { type WaitCondition, waitForContainer } from '../../containers/wait.ts';
import { type Call, flagOf, param } from '../call.ts';
import { multiplexed, openConversation, writeFramed } from '../conversation.ts';
import type { Route } from '../router.ts';
import { parseTime } from '../times.ts';

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
        const { query, response, signal } = call;
        const stdout = flagOf(query, 'stdout');
        const stderr = flagOf(query, 'stderr');
        if (!stdout && !stderr) {
          throw new HullError('Cannot read logs: you must choose at least one of stdout and stderr', {
            kind: 'invalid',
          });
        }
        const since = parseTime(query, 'since');
        const until = parseTime(query, 'until');
        const chunks = containerLogs(
          engine,
          find(call),
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
        response.writeHead(200, { 'Content-Type': multiplexed });
        response.flushHeaders();
        for await (const { stream, data } of chunks) await writeFramed(response, stream, data, signal);
        response.end();
        return undefined;
      },
    },
    {
      method: 'POST',
      path: '/containers/:id/attach',
      handle: async (call) => {
        const { query, signal, socket } = call;
        const container = find(call);
        const wanted = {
          stdout: flagOf(query, 'stdout'),
          stderr: flagOf(query, 'stderr'),
          logs: flagOf(query, 'logs'),
          stream: flagOf(query, 'stream'),
        };
        const chunks = await attachOutput(engine, container, wanted, signal);
        const client = openConversation(call);
        // Only a connection that was taken over has an input of its own: a plain request's body is its options.
        if (socket && flagOf(query, 'stdin') && container.record.config.OpenStdin) {
          // The end of the input must not take the socket with it: the output goes on.
          const input = client.input.iterator({ destroyOnReturn: false });
          attachInput(engine, container, input, signal).catch(() => undefined);
        } else {
          client.input.resume();
        }
        for await (const { stream, data } of chunks) await client.write(stream, data);
        client.end();
        return undefined;
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
