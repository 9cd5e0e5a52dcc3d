import { HullError } from '../base/errors.ts';
import type { Container } from './container.ts';
import { cgroupOf, type Engine } from './engine.ts';
import { requireAlive } from './kill.ts';
import { publishContainer } from './publish.ts';

/** Afterwards every process of the container is frozen. Kind `conflict` where it does not run, or is paused already. */
export async function pauseContainer(engine: Engine, container: Container): Promise<void> {
  using _ = await container.mutex.acquire();
  const run = requireAlive(container, 'pause');
  if (run.kind === 'paused') {
    throw new HullError(`Cannot pause container ${container.name}: it is already paused`, {
      kind: 'conflict',
    });
  }
  await cgroupOf(engine, container).freeze();
  await container.update({ state: { ...run, kind: 'paused' } });
  publishContainer(engine, container, 'pause');
}

/** The reverse. Kind `conflict` where it is not paused. */
export async function unpauseContainer(engine: Engine, container: Container): Promise<void> {
  using _ = await container.mutex.acquire();
  const run = requireAlive(container, 'unpause');
  if (run.kind !== 'paused') {
    throw new HullError(`Cannot unpause container ${container.name}: it is not paused`, { kind: 'conflict' });
  }
  await cgroupOf(engine, container).thaw();
  await container.update({ state: { ...run, kind: 'running' } }, { evenIfFull: true });
  publishContainer(engine, container, 'unpause');
}
