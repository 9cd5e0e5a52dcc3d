import type Docker from 'dockerode';
import type { ScenarioContext } from '../../harness/run/scenario.ts';
import { demultiplex, type Output } from './demultiplex.ts';

/** What a scenario wants of a container; all else is as the engine has it by default. */
export interface Wish {
  readonly command: readonly string[];
  /** Default: a name of this scenario's own. */
  readonly name?: string;
  readonly user?: string;
  readonly workingDir?: string;
  readonly stopSignal?: string;
  readonly image?: string;
  readonly host?: Docker.HostConfig;
}

/**
 * Runs until it is told to stop and then ends at once with status 0. (A process 1 without a handler does not see SIGTERM, and
 * a stop of it would take the whole grace time.)
 */
export const idle = shell("trap 'exit 0' TERM; echo ready; sleep 1000 & wait");

/** `sh -c script`. */
export function shell(script: string): readonly string[] {
  return ['sh', '-c', script];
}

let count = 0;

export function create(t: ScenarioContext, wish: Wish): Promise<Docker.Container> {
  count += 1;
  return t.docker.createContainer({
    name: wish.name ?? t.name(`c${count}`),
    Image: wish.image ?? t.image,
    Cmd: [...wish.command],
    // Without a network until the scenarios are about it: nothing here may fail for the network's reasons.
    HostConfig: { NetworkMode: 'none', ...wish.host },
    ...(wish.user === undefined ? {} : { User: wish.user }),
    ...(wish.workingDir === undefined ? {} : { WorkingDir: wish.workingDir }),
    ...(wish.stopSignal === undefined ? {} : { StopSignal: wish.stopSignal }),
  });
}

export interface RunningContainer {
  readonly container: Docker.Container;
  /** Of its first process, in the host. */
  readonly pid: number;
}

/** A container that runs, from its start call on: what it does first may still lie ahead. */
export async function start(t: ScenarioContext, wish: Wish): Promise<RunningContainer> {
  const container = await create(t, wish);
  await container.start();
  return { container, pid: await pidOf(container) };
}

/** The same, when its output has the line `ready`: its traps are set. */
export async function startReady(t: ScenarioContext, wish: Wish): Promise<RunningContainer> {
  const running = await start(t, wish);
  await said(t, running.container, 'ready');
  return running;
}

export async function said(t: ScenarioContext, container: Docker.Container, text: string): Promise<void> {
  await t.waitFor(
    `the container to say "${text}"`,
    async () => (await outputOf(container)).stdout.includes(text),
    { intervalMs: 50 },
  );
}

export async function pidOf(container: Docker.Container): Promise<number> {
  const { State } = await container.inspect();
  if (!State.Running || State.Pid <= 0) {
    throw new Error(`Cannot tell the container's pid: it is ${State.Status}, ${State.Error || 'no error'}`);
  }
  return State.Pid;
}

export interface Ended extends Output {
  readonly container: Docker.Container;
  readonly exitCode: number;
}

/** Create, start, wait, logs. The container stays. */
export async function runToEnd(t: ScenarioContext, wish: Wish): Promise<Ended> {
  const container = await create(t, wish);
  return { container, ...(await startToEnd(container)) };
}

/** Starts what was created (or has ended) and waits for its end. The output is that of all its runs. */
export async function startToEnd(container: Docker.Container): Promise<Output & { exitCode: number }> {
  await container.start();
  const exitCode = await waitForExit(container);
  return { exitCode, ...(await outputOf(container)) };
}

export async function waitForExit(container: Docker.Container): Promise<number> {
  const { StatusCode } = (await container.wait()) as { StatusCode: number };
  return StatusCode;
}

export async function outputOf(container: Docker.Container): Promise<Output> {
  return demultiplex(await container.logs({ stdout: true, stderr: true, follow: false }));
}

/** Runs a command in a running container to its end. */
export async function exec(
  container: Docker.Container,
  command: readonly string[],
  options: { readonly user?: string } = {},
): Promise<Output & { readonly exitCode: number | null }> {
  const session = await container.exec({
    Cmd: [...command],
    AttachStdout: true,
    AttachStderr: true,
    ...(options.user === undefined ? {} : { User: options.user }),
  });
  const stream = await session.start({});
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  const { ExitCode } = await session.inspect();
  return { exitCode: ExitCode, ...demultiplex(Buffer.concat(chunks)) };
}

/** An engine's refusal: status and text. Throws where the call succeeded, or failed otherwise than by an answer. */
export async function refusal(call: Promise<unknown>): Promise<{ status: number; message: string }> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (outcome === undefined) throw new Error('The engine did what it was expected to refuse');
  const { error } = outcome;
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number')
    throw error;
  return { status: error.statusCode, message: error.message };
}
