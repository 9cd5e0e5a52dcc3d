import { joinErrors } from '../base/errors.ts';
import { holdMounts } from '../launch/hold-mounts.ts';
import type { LayerId, StorageDriver } from './driver.ts';

/**
 * Runs `use` with the layer's tree mounted in a short-lived private mount namespace; nothing is seen in the host's
 * namespace, and everything is gone with this process too. `root` is `/proc/<pid>/cwd`: plain path calls below
 * it follow the layer's symbolic links into the *host*, so walk it without following links.
 * Kind `busy` where the layer is mounted elsewhere (a running container has it).
 *
 * @example
 * await withRoot(driver, 'base', (root) => untar(stream, root));
 */
export async function withRoot<T>(
  driver: StorageDriver,
  id: LayerId,
  use: (root: string) => Promise<T>,
): Promise<T> {
  const { mounts, lockPath } = await driver.acquire(id, { brief: true });
  let result: T;
  try {
    await using held = await holdMounts(mounts, { lockPath });
    result = await use(held.path);
  } catch (error) {
    try {
      await driver.release(id);
    } catch (later) {
      throw joinErrors(error, later);
    }
    throw error;
  }
  await driver.release(id);
  return result;
}
