import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { holdMounts } from '../../launch/hold-mounts.ts';
import { makePlace } from '../conformance-place.ts';
import { withRoot } from '../with-root.ts';
import { fill } from './pool-fixture.ts';

const minutes = 60_000;
const mib = 1024 ** 2;

/** xfs by itself tries for ever to write metadata that a full pool has no room for, and whoever waits for it cannot be killed. */
export function describeFullXfs(base: ReadonlyMap<string, string>, unless: string | undefined): void {
  const title = 'xfs on a full pool';
  describe.skipIf(unless !== undefined)(unless ? `${title} (skipped: ${unless})` : title, () => {
    it.each([
      ['0', undefined],
      ['7', '7'],
    ])(
      'gives up after %s tries (dm.xfs_nospace_max_retries=%s), and what others have stays',
      async (wanted, option) => {
        const small: readonly (readonly [string, string])[] = [
          ['dm.loopdatasize', '400M'],
          ['dm.basesize', '512M'],
          ...(option === undefined ? [] : [['dm.xfs_nospace_max_retries', option] as const]),
        ];
        const place = await makePlace('devicemapper', new Map([...base, ...small]), tmpdir());
        onTestFinished(() => place.delete());
        const driver = await place.open();
        await driver.create('calm', undefined);
        await withRoot(driver, 'calm', (root) => writeFile(join(root, 'file'), 'kept'));
        await driver.create('greedy', 'calm');
        const { mounts, lockPath } = await driver.acquire('greedy');
        const held = await holdMounts(mounts, { lockPath });
        const retries = `/sys/fs/xfs/${basename(mounts[0]?.source ?? '')}/error/metadata/ENOSPC/max_retries`;
        expect((await readFile(retries, 'utf8')).trim()).toBe(wanted);
        await expect(fill(join(held.path, 'file-of-all'), 480 * mib)).rejects.toThrow(/ENOSPC|EIO/);
        // Metadata that has to go to new blocks; whether it fails is the file system's matter, but it has to end.
        await writeMany(held.path).catch(() => undefined);
        const started = performance.now();
        await held[Symbol.asyncDispose]();
        expect(performance.now() - started).toBeLessThan(minutes);
        await driver.release('greedy');
        await driver.remove('greedy');
        expect(await withRoot(driver, 'calm', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('kept');
        await driver.close();
        expect(await place.residue()).toEqual([]);
      },
      5 * minutes,
    );
  });
}

async function writeMany(root: string): Promise<void> {
  for (let count = 0; count < 2000; count++)
    await writeFile(join(root, `file-${count}`), 'x', { flush: count % 100 === 0 });
}
