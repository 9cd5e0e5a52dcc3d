import { appendFileSync } from 'node:fs';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { run } from '../../base/command.ts';
import {
  changeAtRandom,
  listChanges,
  numbers,
  plantPlaces,
  steps,
} from '../../images/tar-writing/changes-suite.ts';
import { deviceMapper } from '../../kernel/device-mapper.ts';
import { holdMounts } from '../../launch/hold-mounts.ts';
import { makePlace } from '../conformance-place.ts';
import type { StorageDriver } from '../driver.ts';
import { withRoot } from '../with-root.ts';
import { openTree } from '../with-tree.ts';
import { DeviceNames } from './device-names.ts';
import { smallPool, whyNoPool } from './pool-fixture.ts';
import { parsePoolStatus } from './tables.ts';

const minutes = 60_000;
const unless = await whyNoPool('thin_delta');
const title = 'changes by thin_delta';

describe.skipIf(unless !== undefined)(unless ? `${title} (skipped: ${unless})` : title, () => {
  it(
    'what was done to a layer: the same as by both trees',
    async () => {
      const { driver } = await opened();
      await driver.create('base', undefined);
      await withRoot(driver, 'base', async (root) => plantPlaces(root));
      for (const [what, change] of Object.entries(steps)) {
        await driver.create('c1', 'base');
        await withRoot(driver, 'c1', async (root) => change(root));
        expect(await compared(driver, 'c1', what), what).toMatchObject({ hinted: true, delta: true });
        await driver.remove('c1');
      }
    },
    30 * minutes,
  );

  it(
    'chains of layers, changed by chance, also when they have children: the same as by both trees',
    async () => {
      const { driver } = await opened();
      await driver.create('base', undefined);
      await withRoot(driver, 'base', async (root) => plantPlaces(root));
      for (const seed of [1, 2, 3, 4]) {
        const random = numbers(seed);
        for (let depth = 1; depth <= 3; depth++) {
          const id = `c${depth}`;
          await driver.create(id, depth === 1 ? 'base' : `c${depth - 1}`);
          for (let mounts = 0; mounts < 2; mounts++) {
            await withRoot(driver, id, async (root) => {
              for (let count = 0; count < 60; count++) changeAtRandom(root, random);
            });
            expect(await compared(driver, id, `seed ${seed}`)).toMatchObject({ hinted: true, delta: true });
          }
        }
        for (const depth of [1, 2, 3]) await compared(driver, `c${depth}`, `seed ${seed}`);
        for (const depth of [3, 2, 1]) await driver.remove(`c${depth}`);
      }
    },
    30 * minutes,
  );

  it(
    'a layer that is larger than its parent: the same as by both trees',
    async () => {
      const { driver } = await opened();
      await driver.create('base', undefined);
      await withRoot(driver, 'base', async (root) => plantPlaces(root));
      await driver.create('large', 'base', { size: 3 * 1024 ** 3 });
      await withRoot(driver, 'large', async (root) => {
        const random = numbers(7);
        for (let count = 0; count < 100; count++) changeAtRandom(root, random);
      });
      expect(await compared(driver, 'large')).toMatchObject({ hinted: true, delta: true });
    },
    30 * minutes,
  );

  it(
    'a layer that is mounted for writing is walked, and so is a frozen one',
    async () => {
      const { driver, names } = await opened();
      await driver.create('base', undefined);
      await withRoot(driver, 'base', async (root) => plantPlaces(root));
      await driver.create('c1', 'base');
      const { mounts, lockPath } = await driver.acquire('c1');
      await using running = await holdMounts(mounts, { lockPath });
      await using below = await openTree(driver, 'base');
      appendFileSync(join(running.path, 'a/1/file'), 'more');
      expect(await driver.changeHint('c1')).toBeUndefined();
      expect(await diffLine(driver)).toMatch(/walked both trees: .*layer-c1: it is rw, wanted/);
      expect((await listChanges(running.path, below.path, undefined)).length).toBe(3);
      // The kernel writes that a frozen file system is clean.
      await run('dmsetup', ['suspend', names.layer({ id: 'c1' })]);
      try {
        expect(await driver.changeHint('c1')).toBeUndefined();
      } finally {
        deviceMapper.resume(names.layer({ id: 'c1' }));
      }
      await running[Symbol.asyncDispose]();
      await driver.release('c1');
    },
    10 * minutes,
  );

  it(
    'a layer whose journal is replayed when it is opened: the same as by both trees',
    async () => {
      const { driver, names, keyOf } = await opened();
      await driver.create('base', undefined);
      await withRoot(driver, 'base', async (root) => plantPlaces(root));
      await driver.create('c1', 'base');
      await driver.create('cut', 'base');
      const { mounts, lockPath } = await driver.acquire('c1');
      await using running = await holdMounts(mounts, { lockPath });
      const random = numbers(11);
      for (let count = 0; count < 60; count++) changeAtRandom(running.path, random);
      await appendFile(join(running.path, 'cut'), 'x', { flush: true });
      // As a power cut leaves it: what was not flushed is gone, and the journal is not empty.
      const device = names.layer({ id: 'c1' });
      await run('dmsetup', ['suspend', '--nolockfs', '--noflush', device]);
      try {
        deviceMapper.message(names.pool, `delete ${await keyOf('cut')}`);
        deviceMapper.message(names.pool, `create_snap ${await keyOf('cut')} ${await keyOf('c1')}`);
      } finally {
        deviceMapper.resume(device);
      }
      await running[Symbol.asyncDispose]();
      await driver.release('c1');
      expect(await compared(driver, 'cut')).toMatchObject({ hinted: true, delta: true });
      expect(await compared(driver, 'c1')).toMatchObject({ hinted: true, delta: true });
    },
    10 * minutes,
  );

  it(
    'without the program the inode tables are compared whole',
    async () => {
      const { driver } = await opened();
      await driver.create('base', undefined);
      await withRoot(driver, 'base', async (root) => plantPlaces(root));
      await driver.create('c1', 'base');
      await withRoot(driver, 'c1', async (root) => writeFile(join(root, 'a/new'), 'new'));
      const { PATH } = process.env;
      process.env['PATH'] = '/nowhere';
      try {
        expect(await compared(driver, 'c1')).toMatchObject({ hinted: true, delta: false });
        expect(await diffLine(driver)).toBe('inode tables, without thin_delta (thin_delta is not installed)');
      } finally {
        process.env['PATH'] = PATH;
      }
      expect(await compared(driver, 'c1')).toMatchObject({ hinted: true, delta: true });
    },
    10 * minutes,
  );

  it(
    'a metadata snapshot that a crash left is released, before the next one and at a start',
    async () => {
      const { place, driver, names } = await opened();
      await driver.create('base', undefined);
      await driver.create('c1', 'base');
      deviceMapper.message(names.pool, 'reserve_metadata_snap');
      await withRoot(driver, 'c1', async (root) => writeFile(join(root, 'new'), 'new'));
      expect(await compared(driver, 'c1')).toMatchObject({ hinted: true, delta: true });
      deviceMapper.message(names.pool, 'reserve_metadata_snap');
      await driver.close();
      const next = await place.open();
      onTestFinished(() => next.close());
      expect((await next.reconcile(new Set())).join('\n')).toMatch(/Released the metadata snapshot of pool/);
      deviceMapper.message(names.pool, 'reserve_metadata_snap');
      deviceMapper.message(names.pool, 'release_metadata_snap');
      for (const id of ['c1', 'base']) await next.remove(id);
    },
    10 * minutes,
  );

  it(
    "in a pool of the host's a metadata snapshot of somebody else is left to them, and one of ours is released",
    async () => {
      const pool = `w-given-${process.pid}`;
      const options = new Map([
        ['dm.thinpooldev', pool],
        ['dm.basesize', '512M'],
      ]);
      const place = await makePlace('devicemapper', options, tmpdir());
      onTestFinished(() => place.delete());
      await givePool(pool, dirname(place.home));
      const driver = await place.open();
      await driver.create('base', undefined);
      await withRoot(driver, 'base', async (root) => plantPlaces(root));
      await driver.create('c1', 'base');
      await withRoot(driver, 'c1', async (root) => writeFile(join(root, 'new'), 'new'));
      expect(await compared(driver, 'c1')).toMatchObject({ hinted: true, delta: true });
      deviceMapper.message(pool, 'reserve_metadata_snap');
      expect(await compared(driver, 'c1')).toMatchObject({
        hinted: true,
        delta: false,
        line: expect.stringContaining('somebody else holds its snapshot'),
      });
      await driver.close();
      const second = await place.open();
      expect(await second.reconcile(new Set())).toEqual([]);
      const { heldRoot } = parsePoolStatus(pool, deviceMapper.status(pool)[0]?.params ?? '');
      expect(heldRoot).toBeGreaterThan(0);
      await second.close();
      // As a crash in the middle of a diff leaves it.
      await writeFile(join(place.home, 'metadata-snapshot'), String(heldRoot));
      const third = await place.open();
      expect(await third.reconcile(new Set())).toEqual([
        expect.stringMatching(/^Released the metadata snapshot/),
      ]);
      expect(await compared(third, 'c1')).toMatchObject({ hinted: true, delta: true });
      for (const id of ['c1', 'base']) await third.remove(id);
      await third.close();
    },
    10 * minutes,
  );

  it(
    'many at once take turns',
    async () => {
      const { driver } = await opened();
      await driver.create('base', undefined);
      await withRoot(driver, 'base', async (root) => plantPlaces(root));
      const ids = ['c1', 'c2', 'c3', 'c4'];
      for (const id of ids) {
        await driver.create(id, 'base');
        await withRoot(driver, id, async (root) => writeFile(join(root, id), id));
      }
      await using below = await openTree(driver, 'base');
      await Promise.all(
        ids.map(async (id) => {
          await using own = await openTree(driver, id);
          const hint = await driver.changeHint(id);
          expect(hint?.kind).toBe('inodes');
          expect(await listChanges(own.path, below.path, hint)).toEqual([expect.stringMatching(`^A ${id} `)]);
        }),
      );
      expect(await diffLine(driver)).toMatch(/^thin_delta [0-9.]+$/);
    },
    10 * minutes,
  );
});

async function opened() {
  const place = await makePlace('devicemapper', smallPool, tmpdir());
  onTestFinished(() => place.delete());
  const driver = await place.open();
  onTestFinished(() => driver.close().catch(() => undefined));
  const keyOf = async (id: string): Promise<string> =>
    (JSON.parse(await readFile(join(place.home, 'records', `${id}.json`), 'utf8')) as { key: string }).key;
  return { place, driver, names: new DeviceNames(place.home), keyOf };
}

/** A thin pool on loop devices, gone after the test. */
async function givePool(pool: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const loops: string[] = [];
  for (const [name, mebibytes] of [
    ['given-data', 1024],
    ['given-metadata', 64],
  ] as const) {
    await run('truncate', ['-s', `${mebibytes}M`, join(folder, name)]);
    const { stdout } = await run('losetup', ['--find', '--show', join(folder, name)]);
    loops.push(stdout.trim());
    onTestFinished(async () => {
      await run('losetup', ['--detach', stdout.trim()]);
    });
  }
  await run('dmsetup', ['create', pool, '--table', `0 2097152 thin-pool ${loops[1]} ${loops[0]} 256 1024`]);
  onTestFinished(async () => {
    await run('dmsetup', ['remove', pool]);
  });
}

/** Whether there was a hint, and with thin_delta; it must find what a walk does. */
async function compared(driver: StorageDriver, id: string, what = '') {
  await using own = await openTree(driver, id);
  await using below = await openTree(driver, driver.parentOf(id) ?? '');
  const walked = await listChanges(own.path, below.path, undefined);
  const hint = await driver.changeHint(id);
  expect(await listChanges(own.path, below.path, hint), what).toEqual(walked);
  const line = await diffLine(driver);
  return { hinted: hint?.kind === 'inodes', delta: /^thin_delta [0-9.]+$/.test(line), line };
}

async function diffLine(driver: StorageDriver): Promise<string> {
  return (await driver.status()).find(([label]) => label === 'Diff')?.[1] ?? '';
}
