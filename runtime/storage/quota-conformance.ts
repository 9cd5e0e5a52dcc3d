import { randomBytes } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { errnoName } from '../base/errors.ts';
import { makePlace } from './conformance-place.ts';
import { withRoot } from './with-root.ts';

const mib = 1024 ** 2;

export interface QuotaOptions {
  readonly options?: ReadonlyMap<string, string>;
  /** A folder on the file system that is meant. */
  readonly parent: string;
  readonly unless: string | undefined;
  /** The file system below, for the title. */
  readonly on?: string;
  /** Bytes of the layer. Default 32 MiB. */
  readonly size?: number;
}

/** What a driver promises that can limit a layer: the end is where it was said, for that layer alone, also after a restart. */
export function describeQuota(
  name: string,
  { options = new Map(), parent, unless, on, size = 32 * mib }: QuotaOptions,
): void {
  const title = `size limits of storage driver ${name}${on ? ` on ${on}` : ''}`;
  it.skipIf(unless !== undefined)(
    unless ? `${title} (skipped: ${unless})` : `${title} hold for their layer alone, and after a restart`,
    async () => {
      const place = await makePlace(name, options, parent);
      onTestFinished(() => place.delete());
      const first = await place.open();
      await first.create('base', undefined);
      await withRoot(first, 'base', (root) => writeFile(join(root, 'base'), 'base'));
      await first.create('small', 'base', { size });
      await first.create('free', 'base');
      const written = await withRoot(first, 'small', (root) => fill(join(root, 'a'), 2 * size));
      expect(['EDQUOT', 'ENOSPC']).toContain(written.code);
      expect(written.bytes).toBeLessThanOrEqual(size);
      expect(written.bytes).toBeGreaterThan(size / 2);
      expect((await withRoot(first, 'free', (root) => fill(join(root, 'a'), size + mib))).code).toBe('');
      await first.close();
      const second = await place.open();
      await second.reconcile(new Set());
      expect((await withRoot(second, 'small', (root) => fill(join(root, 'b'), size))).code).not.toBe('');
      // What is full can still be removed.
      for (const id of ['small', 'free', 'base']) await second.remove(id);
      await second.close();
      expect(await place.residue()).toEqual([]);
    },
    120_000,
  );
}

/** Writes and syncs a file until it has the size, or the kernel refuses. */
async function fill(path: string, bytes: number): Promise<{ readonly code: string; readonly bytes: number }> {
  // A limit is of what it takes on the disk, where zfs has it compressed.
  const block = randomBytes(mib);
  let written = 0;
  try {
    await using file = await open(path, 'w');
    for (; written < bytes; written += mib) {
      await file.write(block);
      await file.datasync();
    }
    return { code: '', bytes: written };
  } catch (error) {
    return {
      code: error instanceof Error && 'errno' in error ? errnoName(-Number(error.errno)) : String(error),
      bytes: written,
    };
  }
}
