import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { run } from '../../base/command.ts';
import { makePlace, type Place } from '../conformance-place.ts';
import { drivers } from '../drivers.ts';
import { withRoot } from '../with-root.ts';
import { zfsPlace } from './zfs-conformance-place.ts';

/* What only zfs has: a dataset that several storages share, other people's snapshots, mounts that `zfs destroy` would undo. */

const { dataset, unless } = await zfsPlace();
const options = new Map([['zfs.fsname', dataset]]);

async function newPlace(from: ReadonlyMap<string, string> = options): Promise<Place> {
  const place = await makePlace('zfs', from, tmpdir());
  onTestFinished(() => place.delete());
  return place;
}

/** Names of datasets and snapshots below the test's own, without it. */
async function names(): Promise<readonly string[]> {
  const words = ['list', '-H', '-r', '-t', 'all', '-o', 'name', dataset];
  return (await run('zfs', words)).stdout.split('\n').filter((name) => name.startsWith(`${dataset}/`));
}

/** The dataset of a layer, by the property that people see. */
async function datasetOf(id: string): Promise<string> {
  const { stdout } = await run('zfs', ['list', '-H', '-r', '-o', 'name,hull:layer', dataset]);
  return (
    stdout
      .split('\n')
      .find((line) => line.endsWith(`\t${id}`))
      ?.split('\t')[0] ?? `no layer ${id}`
  );
}

describe.skipIf(unless !== undefined)(unless ? `zfs storages (skipped: ${unless})` : 'zfs storages', () => {
  it('two daemons have the same layers in one dataset, and neither touches the others', async () => {
    const [first, second] = [await newPlace(), await newPlace()];
    const a = await first.open();
    const b = await second.open();
    for (const [driver, text] of [
      [a, 'a'],
      [b, 'b'],
    ] as const) {
      await driver.create('base', undefined);
      await withRoot(driver, 'base', (root) => writeFile(join(root, text), text));
      await driver.create('c1', 'base');
    }
    expect(await b.reconcile(new Set())).toEqual([]);
    await b.remove('c1');
    await b.remove('base');
    expect([...(await a.list())].sort()).toEqual(['base', 'c1']);
    expect(await a.reconcile(new Set())).toEqual([]);
    await a.remove('c1');
    await a.remove('base');
    for (const driver of [a, b]) await driver.close();
  });

  it('another dataset than the one that the layers are in is refused', async () => {
    const place = await newPlace();
    const driver = await place.open();
    await driver.create('base', undefined);
    await driver.close();
    const elsewhere = `${dataset}/elsewhere`;
    await run('zfs', ['create', elsewhere]);
    onTestFinished(async () => void (await run('zfs', ['destroy', '-r', elsewhere])));
    const moved = { ...place, options: new Map([['zfs.fsname', elsewhere]]) };
    await expect(drivers.get('zfs')?.(moved)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/are in a dataset hull-[0-9a-f]{16}, which is not in ".*elsewhere"$/),
    });
    const again = await place.open();
    expect(await again.list()).toEqual(['base']);
    await again.remove('base');
    await again.close();
  });

  it.each([
    ['-r', 'invalid', /found "-r", wanted a dataset such as tank\/hull/],
    [`${dataset}/nobody`, 'unsupported', /missing is the dataset ".*nobody".*does not exist/],
  ])('zfs.fsname=%s is refused', async (name, kind, message) => {
    const place = await newPlace(new Map([['zfs.fsname', name]]));
    await expect(place.open()).rejects.toMatchObject({ kind, message: expect.stringMatching(message) });
  });

  it('a layer that somebody mounted in the host is busy, and stays mounted', async () => {
    const place = await newPlace();
    const driver = await place.open();
    await driver.create('base', undefined);
    const point = join(place.home, 'seen');
    await mkdir(point);
    await run('mount', ['-t', 'zfs', await datasetOf('base'), point]);
    await expect(driver.remove('base')).rejects.toMatchObject({
      kind: 'busy',
      message: expect.stringContaining(point),
    });
    // Fails where nothing is mounted.
    await run('umount', [point]);
    await driver.remove('base');
    await driver.close();
  });

  it("others' snapshots of layers are left alone, and go with their layer", async () => {
    const place = await newPlace();
    const driver = await place.open();
    await driver.create('base', undefined);
    await driver.create('c1', 'base');
    const snapshots = [`${await datasetOf('base')}@yesterday`, `${await datasetOf('c1')}@yesterday`];
    for (const name of snapshots) await run('zfs', ['snapshot', name]);
    expect(await driver.reconcile(new Set())).toEqual([]);
    expect(await names()).toEqual(expect.arrayContaining(snapshots));
    await driver.remove('c1');
    await driver.remove('base');
    expect((await names()).filter((name) => /hull-[0-9a-f]{16}\//.test(name))).toEqual([]);
    await driver.close();
  });

  it('what a child started from is held by nobody: it goes later where somebody holds it', async () => {
    const place = await newPlace();
    const driver = await place.open();
    await driver.create('base', undefined);
    await driver.create('c1', 'base');
    const snapshot = (await names()).find((name) => name.includes('@')) ?? 'no snapshot';
    await run('zfs', ['hold', 'keep', snapshot]);
    await driver.remove('c1');
    expect(await names()).toContain(snapshot);
    await run('zfs', ['release', 'keep', snapshot]);
    expect(await names()).not.toContain(snapshot);
    await driver.remove('base');
    await driver.close();
  });

  it('a dataset and a snapshot that no record names are swept, foreign ones are not', async () => {
    const place = await newPlace();
    const driver = await place.open();
    await driver.create('base', undefined);
    const base = await datasetOf('base');
    const storage = base.slice(0, base.lastIndexOf('/'));
    await run('zfs', ['create', `${storage}/ORPHANED`]);
    await run('zfs', ['create', `${storage}/foreign`]);
    await run('zfs', ['snapshot', `${base}@ABANDONS`]);
    const did = await driver.reconcile(new Set());
    expect(did.join('\n')).toMatch(/ORPHANED.*\n.*@ABANDONS/);
    expect((await names()).filter((name) => name.startsWith(`${storage}/`)).sort()).toEqual(
      [base, `${storage}/foreign`].sort(),
    );
    await driver.remove('base');
    await driver.close();
  });

  it('the longest ids may be parent and child', async () => {
    const place = await newPlace();
    const driver = await place.open();
    const [parent, child] = ['p'.repeat(128), 'c'.repeat(128)];
    await driver.create(parent, undefined);
    await driver.create(child, parent);
    for (const id of [child, parent]) await driver.remove(id);
    await driver.close();
  });

  it('a limit below what the parent has is refused in words, and nothing is left', async () => {
    const mib = 1024 ** 2;
    const place = await newPlace();
    const driver = await place.open();
    await driver.create('base', undefined);
    await withRoot(driver, 'base', (root) => writeFile(join(root, 'file'), randomBytes(8 * mib)));
    await expect(driver.create('small', 'base', { size: 2 * mib })).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringMatching(
        /Cannot create layer small of at most \d+ bytes: driver zfs lacks room: its parent has \d+ bytes/,
      ),
    });
    expect(await driver.list()).toEqual(['base']);
    await driver.remove('base');
    await driver.close();
  });
});
