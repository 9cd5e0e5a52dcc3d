import { setTimeout as sleep } from 'node:timers/promises';
import { HullError } from '../base/errors.ts';
import { errorText } from '../base/log.ts';
import type { Container } from './container.ts';
import type { Engine } from './engine.ts';
import { isAlive } from './record.ts';

/**
 * Gives back what the storage driver holds for a container that does not run. A root that somebody holds never loses
 * the container: the holder is recorded and shown, the release is tried again until it works, and at the next start
 * of the container or the daemon. Answers who holds it. Call it with the container's mutex held.
 */
export async function releaseRoot(engine: Engine, container: Container): Promise<string | undefined> {
  try {
    await engine.driver.release(container.id);
    return undefined;
  } catch (error) {
    if (!(error instanceof HullError) || error.kind !== 'busy') throw error;
    const heldBy = errorText(error);
    engine.log.error('root file system is held', { id: container.id, name: container.name, error: heldBy });
    return heldBy;
  }
}

/** Goes on trying in the background; ends with the release, a new start, the removal, or the daemon. */
export function retryRelease(engine: Engine, container: Container): void {
  void loop(engine, container).catch((error: unknown) => {
    if (!engine.signal.aborted) engine.log.error('release given up', { id: container.id, error });
  });
}

async function loop(engine: Engine, container: Container): Promise<void> {
  for (;;) {
    await sleep(engine.timing.releaseRetryMs, undefined, { signal: engine.signal, ref: false });
    using _ = await container.mutex.acquire();
    const { heldBy, error } = container.record;
    if (container.gone || heldBy === undefined || isAlive(container.state)) return;
    const still = await releaseRoot(engine, container);
    if (still === undefined) {
      await container.update(
        { heldBy: undefined, error: error === heldBy ? '' : error },
        { evenIfFull: true },
      );
      engine.log.info('root file system released after all', { id: container.id, name: container.name });
      return;
    }
    if (still !== heldBy) {
      await container.update(
        { heldBy: still, error: error === heldBy ? still : error },
        { evenIfFull: true },
      );
    }
  }
}
