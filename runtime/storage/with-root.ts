import type { LayerId, StorageDriver } from './driver.ts';

/**
 * Runs `use` with the layer's tree mounted in a short-lived private mount namespace; nothing is seen in the host's
 * namespace, and everything is gone with this process too. `root` is `/proc/<pid>/cwd`: plain path calls below
 * it follow the layer's symbolic links into the *host*, so walk it without following links.
 * Kind `busy` where the layer is mounted elsewhere (a running container has it).
 */
export async function withRoot<T>(
  driver: StorageDriver,
  id: LayerId,
  use: (root: string) => Promise<T>,
): Promise<T> {
  throw new Error(`Cannot open ${driver.name} layer ${id}: not here yet${use.length}`);
}
