import { open, readdir, readFile, stat, statfs, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { run } from '../../base/command.ts';
import { holdMounts } from '../../launch/hold-mounts.ts';
import { makePlace, type Place } from '../conformance-place.ts';
import type { StorageDriver } from '../driver.ts';
import { withRoot } from '../with-root.ts';
import { openDevicemapper } from './devicemapper-driver.ts';
import { fill } from './pool-fixture.ts';

const minutes = 60_000;
const mib = 1024 ** 2;

/** Room in a thin pool: sizes that grow, blocks that come back, pools that are full, pools on devices that were given. */
export function describePoolRoom(base: ReadonlyMap<string, string>, unless: string | undefined): void {
  const title = 'room in a thin pool';
  describe.skipIf(unless !== undefined)(unless ? `${title} (skipped: ${unless})` : title, () => {
    const test = (what: string, options: Record<string, string>, body: (place: Place) => Promise<void>) =>
      it(
        what,
        async () => {
          const place = await makePlace(
            'devicemapper',
            new Map([...base, ...Object.entries(options)]),
            tmpdir(),
          );
          onTestFinished(() => place.delete());
          await body(place);
          // udev may look at a loop device for a moment, which keeps it from going.
          await expect.poll(() => place.residue(), { timeout: 10_000 }).toEqual([]);
        },
        5 * minutes,
      );

    for (const fs of ['ext4', 'xfs']) {
      test(`${fs}: the base grows with dm.basesize, for new layers; what was there stays as it is`, {
        'dm.fs': fs,
        'dm.basesize': '512M',
      }, async (place) => {
        const first = await place.open();
        await first.create('old', undefined);
        await withRoot(first, 'old', (root) => writeFile(join(root, 'file'), 'old'));
        await first.close();
        const options = new Map([...place.options, ['dm.basesize', '1G']]);
        const second = await openDevicemapper({ ...place, options });
        await second.create('new', undefined);
        await second.create('child', 'old');
        expect(await sizeIn(second, 'new')).toBeGreaterThan(900 * mib);
        expect(await sizeIn(second, 'old')).toBeLessThan(520 * mib);
        expect(await withRoot(second, 'child', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('old');
        await second.close();
        // Without the option it is as large as it has become.
        const third = await openDevicemapper({ ...place, options: new Map([['dm.fs', fs]]) });
        await third.create('later', undefined);
        expect(await sizeIn(third, 'later')).toBeGreaterThan(900 * mib);
        await third.close();
      });

      test(`${fs}: a layer can be larger than its parent, and not smaller`, {
        'dm.fs': fs,
        'dm.basesize': '512M',
      }, async (place) => {
        const driver = await place.open();
        await driver.create('parent', undefined);
        await driver.create('large', 'parent', { size: 1024 * mib });
        expect(await sizeIn(driver, 'large')).toBeGreaterThan(900 * mib);
        await driver.create('same', 'large');
        expect(await sizeIn(driver, 'same')).toBeGreaterThan(900 * mib);
        await expect(driver.create('small', 'parent', { size: 256 * mib })).rejects.toMatchObject({
          kind: 'unsupported',
          message: expect.stringContaining('wanted at least'),
        });
        await driver.close();
      });
    }

    test('blocks of deleted files and layers return to the pool, and to the disk below it', {}, async (place) => {
      const driver = await place.open();
      await driver.create('layer', undefined);
      const before = { pool: await usedData(driver), disk: await diskBlocks(place) };
      await withRoot(driver, 'layer', (root) => fill(join(root, 'file'), 128 * mib));
      const full = { pool: await usedData(driver), disk: await diskBlocks(place) };
      expect(full.pool - before.pool).toBeGreaterThan(120);
      expect(full.disk - before.disk).toBeGreaterThan(120 * mib);
      await withRoot(driver, 'layer', async (root) => {
        await unlink(join(root, 'file'));
        await run('sync', ['-f', root]);
      });
      expect((await usedData(driver)) - before.pool).toBeLessThan(20);
      expect((await diskBlocks(place)) - before.disk).toBeLessThan(20 * mib);
      await withRoot(driver, 'layer', (root) => fill(join(root, 'file'), 128 * mib));
      await driver.remove('layer');
      expect((await usedData(driver)) - before.pool).toBeLessThan(20);
      expect((await diskBlocks(place)) - before.disk).toBeLessThan(20 * mib);
      await driver.close();
    });

    test('a full pool refuses new layers and lets old ones go, and then works', {
      'dm.loopdatasize': '256M',
      'dm.basesize': '512M',
    }, async (place) => {
      const driver = await place.open();
      await driver.create('calm', undefined);
      await withRoot(driver, 'calm', (root) => writeFile(join(root, 'file'), 'kept'));
      await driver.create('greedy', 'calm');
      const { mounts, lockPath } = await driver.acquire('greedy');
      const held = await holdMounts(mounts, { lockPath });
      const code = await fill(join(held.path, 'file'), 400 * mib).then(
        () => 'room',
        () => 'refused',
      );
      expect(code).toBe('refused');
      await expect(driver.create('more', 'calm')).rejects.toMatchObject({
        kind: 'exhausted',
        message: expect.stringMatching(/\d% of the pool's data blocks are free, wanted at least 10%/),
      });
      await held[Symbol.asyncDispose]();
      await driver.release('greedy');
      await driver.remove('greedy');
      await driver.create('more', 'calm');
      expect(await withRoot(driver, 'more', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('kept');
      await driver.close();
    });

    test('with deferred deletion a removal succeeds, and the device goes with its last user', {
      'dm.use_deferred_deletion': 'true',
    }, async (place) => {
      const driver = await place.open();
      await driver.create('layer', undefined);
      const { mounts } = await driver.acquire('layer');
      // Without the lock: a mount that nobody accounts for.
      const held = await holdMounts(mounts);
      await driver.remove('layer');
      expect(await driver.list()).toEqual([]);
      await held[Symbol.asyncDispose]();
      await expect.poll(() => readdir(join(place.home, 'records')), { timeout: minutes }).toEqual([]);
      await driver.create('layer', undefined);
      await driver.close();
    });

    test('on given devices, which must be new', {}, async (place) => {
      const [data, metadata] = [
        await giveLoop(place, 'given-data', 1024),
        await giveLoop(place, 'given-metadata', 64),
      ];
      const options = new Map([
        ['dm.datadev', data],
        ['dm.metadatadev', metadata],
        ['dm.basesize', '512M'],
      ]);
      await liveOn(place, options);
      // Another storage must not take over what is this one's.
      const other = await makePlace('devicemapper', options, tmpdir());
      onTestFinished(() => other.delete());
      await expect(other.open()).rejects.toMatchObject({
        kind: 'conflict',
        message: expect.stringContaining('are not zero'),
      });
      expect(await liveOn(place, options)).toContain(data);
      await run('losetup', ['--detach', data, metadata]);
    });

    test('in a given pool, which must be new and stays', {}, async (place) => {
      const [data, metadata] = [
        await giveLoop(place, 'given-data', 1024),
        await giveLoop(place, 'given-metadata', 64),
      ];
      const pool = `w-given-${process.pid}`;
      await run('dmsetup', ['create', pool, '--table', `0 2097152 thin-pool ${metadata} ${data} 256 1024`]);
      const options = new Map([
        ['dm.thinpooldev', `/dev/mapper/${pool}`],
        ['dm.basesize', '512M'],
      ]);
      expect(await liveOn(place, options)).toContain(pool);
      const other = await makePlace('devicemapper', options, tmpdir());
      onTestFinished(() => other.delete());
      await expect(other.open()).rejects.toMatchObject({
        kind: 'conflict',
        message: expect.stringContaining('wanted a new pool'),
      });
      await run('dmsetup', ['remove', pool]);
      await run('losetup', ['--detach', data, metadata]);
    });

    test('devices and loop sizes exclude each other', {
      'dm.datadev': '/dev/null',
      'dm.metadatadev': '/dev/zero',
    }, async (place) => {
      await expect(place.open()).rejects.toMatchObject({ kind: 'invalid' });
    });
  });
}

/** A layer made, written and found again after a restart; the driver's status as text. */
async function liveOn({ home, runDir }: Place, options: ReadonlyMap<string, string>): Promise<string> {
  const first = await openDevicemapper({ home, runDir, options });
  await first.create('layer', undefined);
  await withRoot(first, 'layer', (root) => writeFile(join(root, 'file'), 'given'));
  await first.close();
  const second = await openDevicemapper({ home, runDir, options });
  expect(await second.reconcile(new Set())).toEqual([]);
  expect(await withRoot(second, 'layer', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('given');
  const status = (await second.status()).join('\n');
  await second.remove('layer');
  await second.close();
  return status;
}

async function giveLoop({ home }: Place, name: string, mebibytes: number): Promise<string> {
  const path = join(home, '..', name);
  await run('mkdir', ['-p', join(home, '..')]);
  await using file = await open(path, 'w');
  await file.truncate(mebibytes * mib);
  return (await run('losetup', ['--find', '--show', path])).stdout.trim();
}

async function sizeIn(driver: StorageDriver, id: string): Promise<number> {
  return withRoot(driver, id, async (root) => {
    const { blocks, bsize } = await statfs(root);
    return blocks * bsize;
  });
}

/** Megabytes. */
async function usedData(driver: StorageDriver): Promise<number> {
  const text = new Map(await driver.status()).get('Data Space Used') ?? '';
  const [number = '', unit = ''] = text.split(' ');
  return Number(number) * ({ B: 1e-6, kB: 1e-3, MB: 1, GB: 1e3 }[unit] ?? Number.NaN);
}

async function diskBlocks({ home }: Place): Promise<number> {
  return (await stat(join(home, 'data'))).blocks * 512;
}
