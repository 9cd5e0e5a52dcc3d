import { mkdir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { HullError } from '../base/errors.ts';
import { LockFile, lockOwner } from '../kernel/lock-file.ts';

/** One process's hold on a driver's folders; nothing in them is looked at or changed without. */
export interface HeldStorage {
  readonly lock: LockFile;
  readonly lockFolder: string;
  /** The driver could not be opened: gives the hold back, and takes away folders that were only made for it. */
  abandon(): Promise<void>;
}

/** Kind `conflict` where another process has the storage. */
export async function holdStorage({
  home,
  runDir,
}: {
  readonly home: string;
  readonly runDir: string;
}): Promise<HeldStorage> {
  const lockFolder = join(runDir, 'locks');
  const isNew = (await mkdir(home, { recursive: true, mode: 0o700 })) !== undefined;
  await mkdir(lockFolder, { recursive: true, mode: 0o700 });
  const lockPath = join(home, 'lock');
  const lock = await LockFile.tryTake(lockPath);
  if (!lock) {
    const owner = lockOwner(lockPath) ?? 'another process';
    throw new HullError(`Cannot open storage ${JSON.stringify(home)}: ${owner} has it`, { kind: 'conflict' });
  }
  return {
    lock,
    lockFolder,
    async abandon() {
      // A driver that is only tried leaves no folder; one with anything in it stays as it is.
      if (isNew) {
        const isBare = await rmdir(join(home, 'records')).then(
          () => true,
          () => false,
        );
        if (isBare) await unlink(lockPath);
        for (const folder of isBare ? [home, lockFolder, runDir] : [])
          await rmdir(folder).catch(() => undefined);
      }
      await lock.release();
    },
  };
}
