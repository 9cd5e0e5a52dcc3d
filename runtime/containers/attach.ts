import { readLogFrames } from '../launch/log-frames.ts';
import { closeStdin, openStdin } from '../launch/stdin.ts';
import type { Container } from './container.ts';
import { type Engine, logPathOf, runDirOf } from './engine.ts';
import { followLog } from './follow-log.ts';
import type { LogChunk } from './logs.ts';
import { isAlive } from './record.ts';

export interface AttachQuery {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** What was written before, too. */
  readonly logs: boolean;
  /** What is written from now on. */
  readonly stream: boolean;
}

/**
 * The container's output for a client that may come before its start (`docker run` does). Ends with the run, a failed
 * start, the removal, or `signal`.
 */
export async function attachOutput(
  engine: Engine,
  container: Container,
  query: AttachQuery,
  signal: AbortSignal,
): Promise<AsyncGenerator<LogChunk>> {
  const path = logPathOf(engine, container.id);
  const { ends } = container;
  // A container that has never run has no log; otherwise what is there now is passed over.
  const before = query.logs ? 0 : await countFrames(path, signal);
  const ended = container.until((now) => now.gone || now.ends > ends, signal);
  // Who waits for nothing must not end the daemon when the client leaves.
  ended.catch(() => undefined);
  const wanted = ({ stream }: LogChunk) => (stream === 'stdout' ? query.stdout : query.stderr);
  const frames = query.stream
    ? await followLog({ path, skip: before, ended, signal })
    : readLogFrames(path, { signal });
  return (async function* () {
    for await (const frame of frames) if (wanted(frame)) yield frame;
  })();
}

/** Copies the client's input to the container once it runs. The input's end closes its stdin (StdinOnce), but no terminal. */
export async function attachInput(
  engine: Engine,
  container: Container,
  input: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  const { ends } = container;
  const { StdinOnce, Tty } = container.record.config;
  await container.until((now) => now.gone || isAlive(now.state) || now.ends > ends, signal);
  if (!isAlive(container.state)) return;
  const runDir = runDirOf(engine, container.id);
  const stdin = openStdin(runDir);
  // The container may end, or close its stdin, at any time.
  stdin.on('error', () => undefined);
  try {
    for await (const chunk of input) {
      if (stdin.destroyed || signal.aborted) return;
      if (!stdin.write(chunk)) await drained(stdin);
    }
    await new Promise<void>((resolve) => stdin.end(resolve));
  } finally {
    stdin.destroy();
    // Also when the client was cut off: nobody will ever write to it again.
    if (StdinOnce && !Tty && isAlive(container.state)) await closeStdin(runDir);
  }
}

async function countFrames(path: string, signal: AbortSignal): Promise<number> {
  let count = 0;
  for await (const _ of readLogFrames(path, { signal })) count++;
  return count;
}

function drained(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ['drain', 'close', 'error']) stream.removeListener(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) stream.on(event, done);
  });
}
