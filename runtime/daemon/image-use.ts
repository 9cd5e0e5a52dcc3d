import type { Engine } from '../containers/engine.ts';
import { isAlive } from '../containers/record.ts';
import type { ImageUser } from '../images/image-store.ts';

/** Image id → the containers made from it. */
export function imageUse(engine: Engine): ReadonlyMap<string, readonly ImageUser[]> {
  const use = new Map<string, ImageUser[]>();
  for (const { id, record, state } of engine.containers.list()) {
    // What is on its way to running counts as running: its image is being read.
    const isRunning = isAlive(state) || ['creating', 'starting', 'restarting'].includes(state.kind);
    use.set(record.image.id, [...(use.get(record.image.id) ?? []), { id, isRunning }]);
  }
  return use;
}
