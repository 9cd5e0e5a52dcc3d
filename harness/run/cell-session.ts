import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import type { EngineControl } from '../engines/engine.ts';
import { createEngine } from '../engines/engines.ts';
import { ping } from '../engines/ping.ts';
import { testImageReference } from '../images/test-image.ts';
import { connectLeakDetector } from '../leaks/detector.ts';
import type { LeakDetector, Snapshot } from '../leaks/types.ts';
import { connectSsh } from '../ssh/connect.ts';
import type { Ssh } from '../ssh/ssh.ts';
import type { CellRun } from './cell-run.ts';
import { DockerClient } from './docker-client.ts';

const imageLoadMs = 60_000;
const removeMs = 30_000;
const refusalsToGiveUp = 3;

/**
 * What a cell's scenarios share: one SSH connection, the engine, the forwarded API, the leak detector. It lives as long as
 * the worker's process, which closes its connection by ending.
 */
export class CellSession {
  readonly run: CellRun;
  readonly ssh: Ssh;
  readonly engine: EngineControl;
  readonly client: DockerClient;
  readonly leaks: LeakDetector;
  /** What time limits are multiplied by. */
  readonly patience: number;
  /** Why the engine must be wiped before the next scenario. */
  #spoiled: string | undefined;
  #imageLoaded = false;
  /** What the leak check of the scenario before saw, as long as nothing was done to the host since. */
  #clean: Snapshot | undefined;
  readonly #refusals: string[] = [];

  private constructor(
    run: CellRun,
    ssh: Ssh,
    engine: EngineControl,
    client: DockerClient,
    leaks: LeakDetector,
    patience: number,
  ) {
    this.run = run;
    this.ssh = ssh;
    this.engine = engine;
    this.client = client;
    this.leaks = leaks;
    this.patience = patience;
  }

  /** Connects. The engine is not started yet: its refusal to start belongs to a scenario's result. */
  static async open(run: CellRun): Promise<CellSession> {
    const ssh = await connectSsh(run.ssh);
    const localSocket = `${run.socketDir}/api.sock`;
    const kind = createEngine(run.cell.engine, run.projectDir, run.cacheDir);
    const engine = kind.open(ssh, run.program, run.cell.driver, () => ping(localSocket));
    const [leaks] = await Promise.all([
      connectLeakDetector(ssh, { stateFolders: engine.stateFolders, ignore: engine.noise, node: run.node }),
      ssh.forwardUnix(engine.socket, localSocket),
    ]);
    return new CellSession(run, ssh, engine, new DockerClient(localSocket, ssh.lost), leaks, kind.patience);
  }

  get docker(): Docker {
    return this.client.docker;
  }

  /** The next scenario finds a wiped engine. */
  spoil(why: string): void {
    this.#spoiled ??= why;
  }

  /** Afterwards the engine runs and has the test image. One that did not come up three times, freshly wiped, is not asked again. */
  async prepare(): Promise<void> {
    if (this.#refusals.length >= refusalsToGiveUp) {
      throw new Error(
        `not tried again, the engine refused ${this.#refusals.length} times: ${this.#refusals[0]}`,
      );
    }
    try {
      await this.#prepare();
      this.#refusals.length = 0;
    } catch (error) {
      this.#refusals.push(error instanceof Error ? error.message : String(error));
      this.spoil('it did not come up');
      throw error;
    }
  }

  async #prepare(): Promise<void> {
    if (this.#spoiled !== undefined) {
      this.#clean = undefined;
      await this.engine.wipe();
      this.#spoiled = undefined;
      this.#imageLoaded = false;
    }
    await this.ensureEngine();
    if (this.#imageLoaded) return;
    this.#clean = undefined;
    this.client.use(AbortSignal.any([this.ssh.lost, AbortSignal.timeout(imageLoadMs * this.patience)]));
    const answer = await this.docker.loadImage(createReadStream(this.run.imageFile));
    const said = await text(answer);
    if (!(await this.#hasImage())) {
      throw new Error(
        `Cannot load the test image ${testImageReference}: the engine said ${said.trim().slice(-1000)}`,
      );
    }
    this.#imageLoaded = true;
  }

  async ensureEngine(): Promise<void> {
    const answers = await ping(`${this.run.socketDir}/api.sock`).then(
      () => true,
      () => false,
    );
    if (answers) return;
    this.#clean = undefined;
    await this.engine.start();
  }

  /** The leak check found nothing: what it saw last is what the next scenario begins with. */
  isClean(): void {
    this.#clean = this.leaks.last;
  }

  /** The host as it is before a scenario: a look that a scenario before has just had is as good as a new one. */
  async look(): Promise<Snapshot> {
    const clean = this.#clean;
    this.#clean = undefined;
    return clean ?? this.leaks.snapshot();
  }

  /** Afterwards the engine runs and has no containers. */
  async removeContainers(): Promise<void> {
    await this.ensureEngine();
    this.client.use(AbortSignal.any([this.ssh.lost, AbortSignal.timeout(removeMs * this.patience)]));
    const [containers] = await Promise.all([
      this.docker.listContainers({ all: true }),
      this.#hasImage().then((there) => {
        this.#imageLoaded = there;
      }),
    ]);
    await Promise.all(
      containers.map(({ Id }) =>
        this.docker.getContainer(Id).remove({ force: true, v: true }).catch(ignoreGone),
      ),
    );
  }

  async #hasImage(): Promise<boolean> {
    const found = await this.docker.getImage(testImageReference).inspect().catch(ignoreGone);
    return found !== undefined;
  }
}

function ignoreGone(error: unknown): undefined {
  if (error instanceof Error && 'statusCode' in error && error.statusCode === 404) return undefined;
  throw error;
}
