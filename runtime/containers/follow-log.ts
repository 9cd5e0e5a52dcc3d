import { open } from 'node:fs/promises';
import { readLogFrames } from '../launch/log-frames.ts';
import type { LogFrame } from '../launch/types.ts';

export interface FollowOptions {
  readonly path: string;
  /** Frames that are passed over. */
  readonly skip: number;
  /** Resolves when nothing more will be written: what is there is then still yielded. */
  readonly ended: Promise<unknown>;
  /** The reader has left: the iteration ends at once. */
  readonly signal: AbortSignal;
}

/**
 * A container's log as it grows, until the container has ended and all of it has been read. It is open when this resolves: who starts
 * the container after that gets all of its output, be it removed before the first frame is asked for.
 */
export async function followLog({
  path,
  skip,
  ended,
  signal,
}: FollowOptions): Promise<AsyncGenerator<LogFrame>> {
  // A container that has never run has no log yet.
  const log = await open(path, 'a+', 0o600);
  const over = new AbortController();
  void ended.then(
    () => over.abort(),
    () => over.abort(),
  );
  return readLogFrames(log, { follow: true, signal, ended: over.signal, skip });
}
