import { spawn } from 'node:child_process';
import { closeSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HullError } from '../../base/errors.ts';
import { encodeProgram } from '../../launch/encode.ts';
import { tryFlock } from '../../sys/flock.ts';
import type { Artefact } from '../artefact.ts';
import { ownCaller } from '../caller.ts';
import { fail } from '../messages.ts';
import { parseOptions } from '../options.ts';
import { runtimeFolder } from '../privileges.ts';
import { compileClient } from './compile-client.ts';
import { serveCalls } from './resident.ts';

const table = {
  socket: { takes: 'text' },
  client: { takes: 'text' },
  'only-client': { takes: 'nothing' },
  idle: { takes: 'text' },
  detach: { takes: 'nothing', short: 'd' },
} as const;

const startPatienceMs = 10_000;

/**
 * `hull-oci resident`: serves the clients of this user. `--client <file>` writes one that goes to this `--socket`; `--detach` answers when
 * there is a resident, this one or another.
 */
export async function residentCommand(artefact: Artefact, args: readonly string[]): Promise<number> {
  try {
    const { values } = parseOptions(args, table);
    const socket = resolve(values.socket ?? defaultSocket());
    if (Buffer.byteLength(socket) > 107)
      throw new HullError(`Cannot serve at ${JSON.stringify(socket)}: wanted a path of at most 107 bytes`, {
        kind: 'invalid',
      });
    const idleMs = seconds(values.idle ?? '600') * 1000;
    if (values.client !== undefined) writeClient(artefact, resolve(values.client), socket);
    if (values['only-client']) return 0;
    if (values.detach) await detach(artefact, socket, idleMs);
    else await serve(artefact, socket, idleMs);
    return 0;
  } catch (error) {
    fail({ caller: ownCaller }, error);
    return 1;
  }
}

function defaultSocket(): string {
  return join(runtimeFolder(), 'hull-oci-resident.sock');
}

function seconds(word: string): number {
  const number = Number(word);
  if (Number.isFinite(number) && number >= 0 && word !== '') return number;
  throw new HullError(`Cannot use --idle ${JSON.stringify(word)}: wanted seconds, 0 for never`, {
    kind: 'invalid',
  });
}

/** Put in place whole: somebody may be executing the earlier one. */
function writeClient(artefact: Artefact, file: string, socket: string): void {
  const { key, alone, fresh: words } = artefact;
  const temporary = `${file}.${process.pid}.tmp`;
  const sources = artefact.sourceTimes();
  const client = compileClient({ socket, key, alone, ...(sources && { fresh: { words, sources } }) });
  writeFileSync(temporary, encodeProgram(client), { mode: 0o755 });
  renameSync(temporary, file);
}

async function serve({ key, sources, isCurrent }: Artefact, socket: string, idleMs: number): Promise<void> {
  const lock = openSync(`${socket}.lock`, 'a', 0o600);
  try {
    if (!tryFlock(lock))
      throw new HullError(`Cannot serve at ${JSON.stringify(socket)}: another resident does`, {
        kind: 'conflict',
      });
    // Left by one that was killed; with the lock it is nobody's.
    rmSync(socket, { force: true });
    const stop = new AbortController();
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => stop.abort());
    // Calls have their own; those of whoever started this process are not theirs.
    for (const name of ['LISTEN_FDS', 'NOTIFY_SOCKET']) delete process.env[name];
    await serveCalls({ socket, key, idleMs, sources, isCurrent, signal: stop.signal });
  } finally {
    closeSync(lock);
  }
}

async function detach({ alone }: Artefact, socket: string, idleMs: number): Promise<void> {
  const child = spawn(alone, ['resident', '--socket', socket, '--idle', String(idleMs / 1000)], {
    cwd: dirname(socket),
    detached: true,
    stdio: 'ignore',
  });
  child.unref();
  const deadline = Date.now() + startPatienceMs;
  while (!(await answers(socket))) {
    if (Date.now() > deadline)
      throw new HullError(`Cannot serve at ${JSON.stringify(socket)}: nobody answers there`, {
        kind: 'internal',
      });
    await sleep(10);
  }
}

function answers(socket: string): Promise<boolean> {
  return new Promise((done) => {
    const connection = createConnection(socket, () => {
      connection.destroy();
      done(true);
    });
    connection.on('error', () => done(false));
  });
}
