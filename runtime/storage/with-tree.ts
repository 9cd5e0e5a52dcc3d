import { joinErrors } from '../base/errors.ts';
import { holdMounts } from '../launch/hold-mounts.ts';
import type { LayerId, StorageDriver } from './driver.ts';
import { KeyedMutex } from './keyed-mutex.ts';

const readers = new WeakMap<StorageDriver, KeyedMutex>();

/**
 * Runs `read` with the layer's tree mounted for reading only, as `withRoot` has it for writing. The layer may be one that others are made
 * upon and that containers run on. Readers of one layer take turns.
 */
export async function withTree<T>(
  driver: StorageDriver,
  id: LayerId,
  read: (root: string) => Promise<T>,
): Promise<T> {
  const turns = readers.get(driver) ?? new KeyedMutex();
  readers.set(driver, turns);
  using _ = await turns.take(id);
  const { mounts, lockPath } = await driver.acquire(id, { brief: true, readOnly: true });
  let result: T;
  try {
    await using held = await holdMounts(mounts, { lockPath });
    result = await read(held.path);
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
