import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errorText } from '../../base/log.ts';
import { toWindowSize } from '../../containers/console-size.ts';
import { parseDetachKeys, untilDetached } from '../../containers/detach-keys.ts';
import type { Engine } from '../../containers/engine.ts';
import { createExec, startExec } from '../../containers/exec.ts';
import type { ExecTable } from '../../containers/exec-table.ts';
import { publishContainer } from '../../containers/publish.ts';
import { resizeExec } from '../../containers/resize.ts';
import { jsonBody, param } from '../call.ts';
import { openConversation } from '../conversation.ts';
import type { Route } from '../router.ts';
import { windowSizeOf } from '../window-size-query.ts';

/** Docker Engine API, "Exec". */
export function execRoutes(engine: Engine, execs: ExecTable): readonly Route[] {
  return [
    {
      method: 'POST',
      path: '/containers/:id/exec',
      handle: async (call) => {
        const { parseExecRequest } = await import('../../containers/exec-request.ts');
        const container = engine.containers.get(param(call, 'id'));
        const config = parseExecRequest(await jsonBody(call));
        return { status: 201, json: { Id: createExec(engine, execs, container, config) } };
      },
    },
    {
      method: 'POST',
      path: '/exec/:id/start',
      handle: async (call) => {
        const { parseExecStart } = await import('../../containers/exec-request.ts');
        const session = execs.get(param(call, 'id'));
        const { Detach, ConsoleSize } = parseExecStart(await jsonBody(call));
        const keys = parseDetachKeys(session.config.DetachKeys);
        const { AttachStdout, AttachStderr, Tty } = session.config;
        const wasStarted = session.state.kind !== 'created';
        const size = toWindowSize(ConsoleSize) ? ConsoleSize : undefined;
        const command = await startExec(engine, execs, session, size).catch(async (error: unknown) => {
          // The client shows no refusal of a connection it wants taken over: as in Docker it reads there why the
          // command cannot be run, and asks for the exit status then (126 or 127).
          if (Detach || wasStarted || session.state.kind !== 'exited') throw error;
          const client = openConversation(call, Tty);
          await client.write('stderr', Buffer.from(`${errorText(error)}\r\n`));
          client.end();
          return undefined;
        });
        if (!command) return undefined;
        if (Detach) {
          command.stdin?.end();
          command.stdout.resume();
          command.stderr.resume();
          return { status: 200 };
        }
        const client = openConversation(call, Tty);
        const detached = Promise.withResolvers<void>();
        if (command.stdin && call.socket) {
          // The end of the input must not take the socket with it: the output goes on.
          const input: AsyncIterable<Buffer> = client.input.iterator({ destroyOnReturn: false });
          feed(Tty ? untilDetached(input, keys, detached.resolve) : input, command.stdin);
        } else {
          command.stdin?.end();
          client.input.resume();
        }
        // A client that leaves does not end the command; its output is then read and dropped.
        const over = Promise.all([
          copy(
            command.stdout,
            async (data) => await (AttachStdout && client.write('stdout', data)),
            call.signal,
          ),
          copy(
            command.stderr,
            async (data) => await (AttachStderr && client.write('stderr', data)),
            call.signal,
          ),
          command.exited,
        ]);
        const left = await Promise.race([over.then(() => false), detached.promise.then(() => true)]);
        if (left) publishContainer(engine, session.container, 'exec_detach', { execID: session.id });
        client.end();
        return undefined;
      },
    },
    {
      method: 'POST',
      path: '/exec/:id/resize',
      handle: async (call) => {
        const size = windowSizeOf(call.query);
        await resizeExec(execs.get(param(call, 'id')), size);
        return { status: 200 };
      },
    },
    {
      method: 'GET',
      path: '/exec/:id/json',
      handle: (call) => {
        const session = execs.get(param(call, 'id'));
        const { state, config, container } = session;
        const [entrypoint = '', ...args] = config.Cmd;
        return {
          json: {
            ID: session.id,
            Running: state.kind === 'running',
            ExitCode: state.kind === 'exited' ? state.exitCode : null,
            ProcessConfig: {
              tty: config.Tty,
              entrypoint,
              arguments: args,
              privileged: config.Privileged,
              user: config.User,
            },
            OpenStdin: config.AttachStdin,
            OpenStderr: config.AttachStderr,
            OpenStdout: config.AttachStdout,
            CanRemove: state.kind === 'exited',
            ContainerID: container.id,
            DetachKeys: '',
            Pid: state.kind === 'created' ? 0 : state.pid,
          },
        };
      },
    },
  ];
}

async function copy(
  from: AsyncIterable<Buffer>,
  write: (data: Buffer) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  for await (const data of from) if (!signal.aborted) await write(data);
}

/** Also where the client was cut off, and never said that it has ended. */
function feed(input: AsyncIterable<Buffer>, stdin: Writable): void {
  // The command may end, or close its stdin, at any time.
  stdin.on('error', () => undefined);
  void pipeline(input, stdin).catch(() => undefined);
}
