import type { Engine } from '../containers/engine.ts';

/** Image id → ids of the containers made from it. */
export function imageUse(engine: Engine): ReadonlyMap<string, readonly string[]> {
  const use = new Map<string, string[]>();
  for (const { id, record } of engine.containers.list()) {
    use.set(record.image.id, [...(use.get(record.image.id) ?? []), id]);
  }
  return use;
}
