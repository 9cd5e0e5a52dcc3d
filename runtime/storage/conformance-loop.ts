import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { run } from '../base/command.ts';
import { needsRoot } from './conformance-place.ts';

export interface LoopFileSystem {
  /** Where it is mounted while the tests of the file run. */
  readonly folder: string;
  /** Why it cannot be had here, or undefined. */
  readonly unless: string | undefined;
}

/**
 * A file system of its own for the tests of a file, on a sparse file through a loop device; gone after them. It is made at once, to
 * find out whether it can be.
 */
export async function loopFileSystem(
  type: 'btrfs' | 'xfs' | 'ext4',
  {
    mebibytes,
    mkfs = [],
    mount = [],
  }: {
    readonly mebibytes: number;
    readonly mkfs?: readonly string[];
    readonly mount?: readonly string[];
  },
): Promise<LoopFileSystem> {
  const place = await mkdtemp(join(tmpdir(), `hull-${type}-`));
  const folder = join(place, 'mounted');
  const image = join(place, 'image');
  const attach = () => run('mount', ['-t', type, '-o', ['loop', ...mount].join(','), image, folder]);
  const unless =
    needsRoot() ??
    (await reasonOf(async () => {
      await run('mkdir', [folder]);
      await using file = await open(image, 'wx', 0o600);
      await file.truncate(mebibytes * 1024 ** 2);
      await run(`mkfs.${type}`, ['-q', ...mkfs, image]);
      // Here and again before the tests: a file whose tests are filtered out is to leave nothing mounted.
      await attach();
      await run('umount', [folder]);
    }));
  if (unless !== undefined) await rm(place, { recursive: true, force: true });
  else {
    beforeAll(async () => {
      await attach();
    });
    afterAll(async () => {
      // A failed test may have left a file open: then it goes with that, and nothing stays of it on the host.
      await run('umount', [folder]).catch(() => run('umount', ['--lazy', folder]));
      await rm(place, { recursive: true, force: true });
    });
  }
  return { folder, unless };
}

async function reasonOf(action: () => Promise<void>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0];
  }
}
