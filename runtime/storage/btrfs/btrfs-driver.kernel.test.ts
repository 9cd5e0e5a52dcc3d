import { mkdir, open, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createSubvolume, subvolumeId, syncFileSystem } from '../../kernel/btrfs.ts';
import { describeStorageDriver } from '../conformance.ts';
import { loopFileSystem } from '../conformance-loop.ts';
import { makePlace } from '../conformance-place.ts';
import { describeQuota } from '../quota-conformance.ts';
import { withRoot } from '../with-root.ts';

const { folder: parent, unless } = await loopFileSystem('btrfs', { mebibytes: 1024 });
const test = (title: string, body: () => Promise<void>) =>
  it.skipIf(unless !== undefined)(unless ? `${title} (skipped: ${unless})` : title, body);

describeStorageDriver('btrfs', { chain: 64, parent, unless });
describeQuota('btrfs', { parent, unless });

async function openPlace() {
  const place = await makePlace('btrfs', new Map(), parent);
  onTestFinished(() => place.delete());
  return { place, driver: await place.open() };
}

test('subvolumes that a container made go with its layer, at any depth', async () => {
  const { place, driver } = await openPlace();
  await driver.create('layer', undefined);
  await withRoot(driver, 'layer', async (root) => {
    await mkdir(join(root, 'some/folder'), { recursive: true });
    await createSubvolume(root, 'at the root');
    await createSubvolume(join(root, 'some/folder'), 'deep');
    await mkdir(join(root, 'some/folder/deep/below'));
    await createSubvolume(join(root, 'some/folder/deep/below'), 'deeper');
    await writeFile(join(root, 'some/folder/deep/below/deeper/file'), 'x');
    for (let number = 0; number < 150; number++)
      await createSubvolume(root, `many ${'x'.repeat(100)} ${number}`);
  });
  await driver.remove('layer');
  expect(await readdir(join(place.home, 'subvolumes'))).toEqual([]);
  expect(await readdir(join(place.home, 'removing'))).toEqual([]);
  await driver.close();
});

test('a half-deleted subvolume and a stranger go at the next start', async () => {
  const { place, driver } = await openPlace();
  await createSubvolume(join(place.home, 'removing'), 'half');
  await createSubvolume(join(place.home, 'subvolumes'), 'stranger');
  await mkdir(join(place.home, 'subvolumes/folder/deep'), { recursive: true });
  const said = (await driver.reconcile(new Set())).join('\n');
  for (const name of ['removing/half', 'subvolumes/stranger', 'subvolumes/folder']) {
    expect(said).toContain(`Removed ${join(place.home, name)}`);
  }
  expect(await driver.reconcile(new Set())).toEqual([]);
  await driver.close();
});

test('an open file keeps its content when its layer is removed, and the subvolume goes', async () => {
  const { place, driver } = await openPlace();
  await driver.create('layer', undefined);
  await using file = await withRoot(driver, 'layer', async (root) => {
    await writeFile(join(root, 'file'), 'still here');
    return open(join(root, 'file'));
  });
  expect(subvolumeId(file)).toBeGreaterThan(255n);
  await driver.remove('layer');
  await syncFileSystem(place.home);
  expect(await file.readFile('utf8')).toBe('still here');
  await driver.close();
});

test('another file system is refused with its name', async () => {
  const place = await makePlace('btrfs', new Map(), tmpdir());
  onTestFinished(() => place.delete());
  await expect(place.open()).rejects.toMatchObject({
    kind: 'unsupported',
    message: expect.stringMatching(/missing is btrfs below ".*", which is on /),
  });
});
