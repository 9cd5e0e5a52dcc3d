import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { DockerClient } from '../../harness/run/docker-client.ts';

export interface DaemonCommand {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly socket: string;
  readonly logFile: string;
}

/** For what hangs: an emulated guest takes most of a minute. */
const startDeadlineMs = 240_000;
const stopDeadlineMs = 15_000;

/** A daemon that serves the Docker API, as a child process. */
export class EngineProcess implements AsyncDisposable {
  readonly docker: Docker;
  readonly socket: string;
  /** From the spawn to the first answered ping. */
  readonly startMs: number;
  readonly #child: ChildProcess;
  readonly #loaded = new Set<string>();

  private constructor(child: ChildProcess, socket: string, startMs: number) {
    this.#child = child;
    this.socket = socket;
    this.startMs = startMs;
    this.docker = new DockerClient(socket, new AbortController().signal).docker;
  }

  /** Throws with the end of its log where it ends, or does not answer in time. */
  static async start({ argv, env, socket, logFile }: DaemonCommand): Promise<EngineProcess> {
    const log = openSync(logFile, 'a');
    const begin = performance.now();
    const [program = '', ...args] = argv;
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', log, log] });
    closeSync(log);
    const failed = once(child, 'error').then(([error]) => String(error));
    const ended = Promise.race([
      failed,
      once(child, 'exit').then(([code, signal]) => `status ${code ?? signal}`),
    ]);
    while (!(await answers(socket))) {
      const end = await Promise.race([ended, sleep(1, undefined)]);
      if (end === undefined && performance.now() - begin < startDeadlineMs) continue;
      child.kill('SIGKILL');
      const said = (await readFile(logFile, 'utf8')).trim().split('\n').slice(-3).join(' | ').slice(-600);
      throw new Error(`${program} does not start: ${end ?? `no ping in ${startDeadlineMs} ms`}: ${said}`);
    }
    return new EngineProcess(child, socket, performance.now() - begin);
  }

  /** Loads a docker-archive unless this daemon has already. */
  async ensureImage(reference: string, archive: () => Promise<Uint8Array>): Promise<void> {
    if (this.#loaded.has(reference)) return;
    await loadImage(this.docker, await archive());
    this.#loaded.add(reference);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const late = new AbortController();
    const kill = sleep(stopDeadlineMs, undefined, { signal: late.signal }).then(
      () => this.#child.kill('SIGKILL'),
      () => undefined,
    );
    await ended;
    late.abort();
    await kill;
  }
}

/** Throws the engine's own words where it refuses; the answer's last line may be an error although its status is 200. */
export async function loadImage(docker: Docker, archive: Uint8Array): Promise<void> {
  const stream = await docker.loadImage(Readable.from([archive]), { quiet: true });
  let said = '';
  for await (const chunk of stream) said += chunk;
  if (/"error"/.test(said) || !/Loaded image/.test(said))
    throw new Error(`Cannot load the image: ${said.slice(-500)}`);
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request({ socketPath, path: '/_ping', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.once('error', () => resolve(false));
    ping.end();
  });
}
