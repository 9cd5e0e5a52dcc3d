import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
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
        const command = await startExec(
          engine,
          execs,
          session,
          toWindowSize(ConsoleSize) ? ConsoleSize : undefined,
        );
        if (Detach) {
          command.stdin?.end();
          command.stdout.resume();
          command.stderr.resume();
          return { status: 200 };
        }
        const { AttachStdout, AttachStderr, Tty } = session.config;
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
