import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type Docker from 'dockerode';
import type { Engine, EngineControl, EngineDriver } from '../../harness/engines/engine.ts';
import { createEngine, equipped } from '../../harness/engines/engines.ts';
import { ping } from '../../harness/engines/ping.ts';
import { defaultCacheDir } from '../../harness/hosts/cache.ts';
import {
  type HostContext,
  type HostDefinition,
  hasPowerSwitch,
  type RunningHost,
} from '../../harness/hosts/host.ts';
import { createProviders } from '../../harness/hosts/providers.ts';
import { DockerClient } from '../../harness/run/docker-client.ts';

const projectDir = fileURLToPath(new URL('../..', import.meta.url));
const installMs = 60_000;

/**
 * A guest with one engine at a time, for tests that no cell can have: its power is cut, or another engine takes the place of the
 * first. After a cut the guest boots from its disk and the engine starts on what it finds.
 */
export class Stand implements AsyncDisposable {
  readonly #folder: string;
  #kind: Engine;
  #driver: EngineDriver;
  #host: RunningHost;
  #session: Session;

  private constructor(
    engine: Engine,
    driver: EngineDriver,
    folder: string,
    host: RunningHost,
    session: Session,
  ) {
    this.#kind = engine;
    this.#driver = driver;
    this.#folder = folder;
    this.#host = host;
    this.#session = session;
  }

  /** @param later engines that `use` will name. */
  static async open(
    plain: HostDefinition,
    engineName: string,
    driver: EngineDriver,
    later: readonly string[] = [],
  ): Promise<Stand> {
    const folder = await mkdtemp(join(tmpdir(), 'seatrial-stand-'));
    const cacheDir = defaultCacheDir();
    const engine = createEngine(engineName, projectDir, cacheDir);
    const others = later.map((name) => createEngine(name, projectDir, cacheDir));
    const definition = equipped(plain, [engine, ...others]);
    const context: HostContext = {
      cacheDir,
      runDir: folder,
      runId: `stand-${process.pid}`,
      signal: new AbortController().signal,
      progress: (message) => console.log(`${definition.name}: ${message}`),
    };
    const provider = createProviders().get(definition.provider);
    if (!provider) throw new Error(`Cannot start ${definition.name}: no provider ${definition.provider}`);
    await provider.prepare(definition, context);
    const host = await provider.start(definition, context);
    try {
      return new Stand(engine, driver, folder, host, await startEngine(engine, driver, host, folder));
    } catch (error) {
      await host[Symbol.asyncDispose]();
      throw error;
    }
  }

  get docker(): Docker {
    return this.#session.docker;
  }

  get engine(): EngineControl {
    return this.#session.engine;
  }

  /** The answer's bytes to GET of a path that the Docker client does not know. */
  async get(path: string): Promise<Buffer> {
    const call = request({ socketPath: this.#session.socket, path }).end();
    const [answer] = (await once(call, 'response')) as [IncomingMessage];
    const body = await buffer(answer);
    if (answer.statusCode === 200) return body;
    throw new Error(`Cannot get ${path}: ${answer.statusCode} ${body}`);
  }

  /** A program in the guest; its output. */
  async run(...argv: string[]): Promise<string> {
    return this.#host.ssh.ok(argv);
  }

  /** Stops the engine that runs; afterwards the other answers, on a storage of its own. */
  async use(engineName: string, driver: EngineDriver): Promise<void> {
    await this.engine.stop();
    this.#kind = createEngine(engineName, projectDir, defaultCacheDir());
    this.#driver = driver;
    this.#session = await startEngine(this.#kind, driver, this.#host, this.#folder);
  }

  /** QEMU is killed now; afterwards the guest has booted from what was on its disk, and the engine answers. */
  async cutPower(): Promise<void> {
    if (!hasPowerSwitch(this.#host)) throw new Error(`Cannot cut the power of ${this.#host.name}`);
    const stopped = await this.#host.cutPower();
    this.#host = await stopped.boot();
    this.#session = await startEngine(this.#kind, this.#driver, this.#host, this.#folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

interface Session {
  readonly socket: string;
  readonly engine: EngineControl;
  readonly docker: Docker;
}

let sockets = 0;

async function startEngine(
  engine: Engine,
  driver: EngineDriver,
  host: RunningHost,
  folder: string,
): Promise<Session> {
  const { ssh } = host;
  const program = await engine.install(ssh, {
    facts: host.facts,
    node: '/opt/seatrial/bin/node',
    signal: AbortSignal.timeout(installMs),
    progress: () => {},
  });
  // The program is no part of what is tried: it must outlast the cut.
  await ssh.ok(['sync']);
  const socket = join(folder, `api-${sockets++}.sock`);
  const control = engine.open(ssh, program, driver, () => ping(socket));
  await ssh.forwardUnix(control.socket, socket);
  await control.start();
  return { socket, engine: control, docker: new DockerClient(socket, ssh.lost).docker };
}
