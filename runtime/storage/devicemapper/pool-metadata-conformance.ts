import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { HullError } from '../../base/errors.ts';
import { holdMounts } from '../../launch/hold-mounts.ts';
import { makePlace, type Place } from '../conformance-place.ts';
import type { StorageDriver } from '../driver.ts';
import { withRoot } from '../with-root.ts';
import { openDevicemapper } from './devicemapper-driver.ts';
import { fill } from './pool-fixture.ts';

const minutes = 60_000;
const mib = 1024 ** 2;

/** A pool whose metadata is full is made read-only by the kernel, so it must not come to that; and files that become larger. */
export function describeMetadataRoom(base: ReadonlyMap<string, string>, unless: string | undefined): void {
  const title = "a pool's metadata and size";
  describe.skipIf(unless !== undefined)(unless ? `${title} (skipped: ${unless})` : title, () => {
    const test = (what: string, options: Record<string, string>, body: (place: Place) => Promise<void>) =>
      it(
        what,
        async () => {
          const all = new Map([...base, ...Object.entries(options)]);
          const place = await makePlace('devicemapper', all, tmpdir());
          onTestFinished(() => place.delete());
          await body(place);
          await expect.poll(() => place.residue(), { timeout: 10_000 }).toEqual([]);
        },
        5 * minutes,
      );
    // So much must be free that the end is near after some dozens of layers.
    const tight = { 'dm.loopmetadatasize': '2M', 'dm.basesize': '512M', 'dm.min_free_space': '85%' };

    test(
      'little metadata left: new layers are refused, and are made again after others went',
      tight,
      async (place) => {
        const driver = await place.open();
        await driver.create('base', undefined);
        await withRoot(driver, 'base', (root) => writeFile(join(root, 'file'), 'kept'));
        const { made, refusal } = await createUntilRefused(driver);
        expect(refusal).toMatchObject({
          kind: 'exhausted',
          message: expect.stringMatching(
            /of the pool's metadata blocks are free, wanted at least 85% \(dm.min_free_space\)/,
          ),
        });
        // What is there goes on: the pool is not full.
        await withRoot(driver, made[0] ?? '', (root) => writeFile(join(root, 'more'), 'x'));
        for (const id of made) await driver.remove(id);
        await driver.create('again', 'base');
        expect(await withRoot(driver, 'again', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('kept');
        await driver.close();
      },
    );

    test('little metadata left: a larger dm.loopmetadatasize makes room', tight, async (place) => {
      const first = await place.open();
      await first.create('base', undefined);
      await withRoot(first, 'base', (root) => writeFile(join(root, 'file'), 'kept'));
      const { made } = await createUntilRefused(first);
      await first.close();
      const second = await openWith(place, { 'dm.loopmetadatasize': '16M' });
      expect(await second.reconcile(new Set())).toEqual([]);
      expect([...(await second.list())].sort()).toEqual(['base', ...made].sort());
      await second.create('again', made.at(-1));
      expect(await withRoot(second, 'again', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('kept');
      await second.close();
      await expect(openWith(place, { 'dm.loopmetadatasize': '8M' })).rejects.toMatchObject({
        kind: 'invalid',
      });
    });

    test('a larger dm.loopdatasize makes room, while nobody uses the pool', {
      'dm.loopdatasize': '256M',
      'dm.basesize': '512M',
    }, async (place) => {
      const first = await place.open();
      await first.create('layer', undefined);
      const { mounts, lockPath } = await first.acquire('layer');
      const held = await holdMounts(mounts, { lockPath });
      await first.close();
      await expect(openWith(place, { 'dm.loopdatasize': '1G' })).rejects.toMatchObject({
        kind: 'busy',
        message: expect.stringContaining('it is in use'),
      });
      await held[Symbol.asyncDispose]();
      await (await place.open()).close();
      const second = await openWith(place, { 'dm.loopdatasize': '1G' });
      await withRoot(second, 'layer', (root) => fill(join(root, 'file'), 350 * mib));
      await second.close();
    });
  });
}

function openWith(place: Place, more: Readonly<Record<string, string>>): Promise<StorageDriver> {
  return openDevicemapper({ ...place, options: new Map([...place.options, ...Object.entries(more)]) });
}

async function createUntilRefused(
  driver: StorageDriver,
): Promise<{ made: readonly string[]; refusal: unknown }> {
  const made: string[] = [];
  for (let count = 0; count < 500; count++) {
    try {
      await driver.create(`layer-${count}`, 'base');
      made.push(`layer-${count}`);
      await withRoot(driver, `layer-${count}`, (root) => writeFile(join(root, 'own'), 'x'));
    } catch (error) {
      if (!(error instanceof HullError)) throw error;
      return { made, refusal: error };
    }
  }
  throw new Error(`${made.length} layers were made, and none was refused`);
}
