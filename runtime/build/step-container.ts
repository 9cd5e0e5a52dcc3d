import { joinErrors } from '../base/errors.ts';
import type { Container } from '../containers/container.ts';
import { createContainer } from '../containers/create.ts';
import { killAndWait } from '../containers/kill.ts';
import { containerLogs } from '../containers/logs.ts';
import { removeContainer } from '../containers/remove.ts';
import { startContainer } from '../containers/start.ts';
import { waitForContainer } from '../containers/wait.ts';
import type { Image } from '../images/image-store.ts';
import { CommandFailed } from './failure.ts';
import { type BuildJob, shortId } from './job.ts';
import type { RunConfig } from './run-config.ts';

/**
 * A container that one instruction is made in. Its record says that it is a build's, so that a daemon which finds one at its start
 * removes it: nobody waits for it any more.
 */
export class StepContainer {
  readonly container: Container;
  readonly #job: BuildJob;

  readonly #warnings: readonly string[];

  private constructor(job: BuildJob, container: Container, warnings: readonly string[]) {
    this.#job = job;
    this.container = container;
    this.#warnings = warnings;
  }

  /** Upon an image, or nothing. `config`: what differs from the image's. */
  static async create(
    job: BuildJob,
    image: Image | undefined,
    config: Pick<RunConfig, 'Cmd'> & Partial<RunConfig>,
  ): Promise<StepContainer> {
    const { engine, request } = job;
    const body = { ...config, Image: image?.id ?? 'scratch', HostConfig: request.host };
    const { id, warnings } = await createContainer(engine, body, undefined, { forBuild: true });
    return new StepContainer(job, engine.containers.get(id), warnings);
  }

  get id(): string {
    return this.container.id;
  }

  /** Runs its command to the end; what that says goes to the client. CommandFailed for another code than 0. */
  async run(command: readonly string[]): Promise<void> {
    const { engine, output, signal } = this.#job;
    for (const warning of this.#warnings) output.text(` ---> [Warning] ${warning}\n`);
    output.text(` ---> Running in ${shortId(this.id)}\n`);
    await startContainer(engine, this.container);
    const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    const logs = containerLogs(
      engine,
      this.container,
      { stdout: true, stderr: true, follow: true, timestamps: false, tail: 'all' },
      signal,
    );
    for await (const { stream, data } of logs) {
      const text = decoders[stream].decode(data, { stream: true });
      if (text === '') continue;
      if (stream === 'stdout') output.text(text);
      else output.errorText(text);
    }
    const { exitCode, error } = await waitForContainer(this.container, 'not-running', signal);
    signal.throwIfAborted();
    if (exitCode !== 0) throw new CommandFailed(command, exitCode, error);
  }

  /** The instruction has succeeded, or not: the container goes, or stays as one of the user's. */
  async end(outcome: 'succeeded' | 'failed'): Promise<void> {
    const { request, signal, engine } = this.#job;
    const goes =
      request.removes === 'always' || (request.removes === 'on-success' && outcome === 'succeeded');
    if (goes || signal.aborted || engine.stopping.aborted) return await this.remove();
    using _ = await this.container.mutex.acquire();
    if (!this.container.gone) await this.container.update({ forBuild: false });
  }

  async remove(): Promise<void> {
    const { engine } = this.#job;
    await killAndWait(engine, this.container);
    await removeContainer(engine, this.container, { force: true, volumes: true });
  }
}

/** Makes an instruction in a container of its own, which is gone or left to the user afterwards, however it ends. */
export async function inStepContainer<T>(
  job: BuildJob,
  step: StepContainer,
  keeps: boolean,
  make: (step: StepContainer) => Promise<T>,
): Promise<T> {
  let result: T;
  try {
    result = await make(step);
  } catch (error) {
    try {
      if (keeps) await step.end('failed');
      else await step.remove();
    } catch (later) {
      throw joinErrors(error, later);
    }
    throw error;
  }
  if (!keeps) await step.remove();
  else {
    if (job.request.removes !== 'never') {
      job.output.text(`Removing intermediate container ${shortId(step.id)}\n`);
    }
    await step.end('succeeded');
  }
  return result;
}
