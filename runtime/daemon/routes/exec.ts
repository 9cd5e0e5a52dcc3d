import type { Engine } from '../../containers/engine.ts';
import { createExec, startExec } from '../../containers/exec.ts';
import type { ExecTable } from '../../containers/exec-table.ts';
import { jsonBody, param } from '../call.ts';
import { openConversation } from '../conversation.ts';
import type { Route } from '../router.ts';

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
        const session = execs.get(param(call, 'id'));
        const detach = isDetached(await jsonBody(call));
        const command = await startExec(engine, execs, session);
        if (detach) {
          command.stdin?.end();
          command.stdout.resume();
          command.stderr.resume();
          return { status: 200 };
        }
        const { AttachStdout, AttachStderr } = session.config;
        const client = openConversation(call);
        if (command.stdin) {
          command.stdin.on('error', () => undefined);
          if (call.socket) {
            client.input.pipe(command.stdin);
            // A client that was cut off never says "end".
            client.input.once('close', () => command.stdin?.end());
          } else command.stdin.end();
        } else client.input.resume();
        // A client that leaves does not end the command; its output is then read and dropped.
        await Promise.all([
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
        client.end();
        return undefined;
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

function isDetached(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'Detach' in body && body.Detach === true;
}
