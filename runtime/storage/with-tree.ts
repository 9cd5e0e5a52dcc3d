import { joinErrors } from '../base/errors.ts';
import { holdMounts } from '../launch/hold-mounts.ts';
import type { LayerId, StorageDriver } from './driver.ts';
import { KeyedMutex } from './keyed-mutex.ts';

/** A layer's tree, for reading only, until it is disposed. */
export interface HeldTree extends AsyncDisposable {
  /** `/proc/<pid>/cwd` of a helper: never let the kernel follow a link below it. */
  readonly path: string;
}

const readers = new WeakMap<StorageDriver, KeyedMutex>();

/**
 * The layer's tree mounted for reading only, as `withRoot` has it for writing. The layer may be one that others are made upon and
 * that containers run on. Readers of one layer take turns. Kind `busy` where a running container has it.
 */
export async function openTree(driver: StorageDriver, id: LayerId): Promise<HeldTree> {
  const turns = readers.get(driver) ?? new KeyedMutex();
  readers.set(driver, turns);
  const turn = await turns.take(id);
  const release = async (): Promise<void> => {
    try {
      await driver.release(id);
    } finally {
      turn[Symbol.dispose]();
    }
  };
  try {
    const { mounts, lockPath } = await driver.acquire(id, { brief: true, readOnly: true });
    const held = await holdMounts(mounts, { lockPath });
    return {
      path: held.path,
      async [Symbol.asyncDispose]() {
        await held[Symbol.asyncDispose]();
        await release();
      },
    };
  } catch (error) {
    try {
      await release();
    } catch (later) {
      throw joinErrors(error, later);
    }
    throw error;
  }
}

/** The same for the time of `read`. */
export async function withTree<T>(
  driver: StorageDriver,
  id: LayerId,
  read: (root: string) => Promise<T>,
): Promise<T> {
  await using tree = await openTree(driver, id);
  return await read(tree.path);
}
