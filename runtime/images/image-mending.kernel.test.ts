import { readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hexOf } from './digest.ts';
import { dockerArchive, imageOf } from './image-fixture.ts';
import { describeWithImages, nobody } from './image-suite.ts';
import { base, upper } from './small-image.ts';

await describeWithImages('damage and held layers', (shop) => {
  test('mends what somebody took: a layer comes back from its blob, an image without its config goes', async () => {
    const [one, two] = await Promise.all([imageOf([base]), imageOf([upper])]);
    await shop.load(await dockerArchive(one, 'one:1'));
    await shop.load(await dockerArchive(two, 'two:1'));
    const { topLayer = '' } = await shop.store.get('one:1');
    await shop.driver.remove(topLayer);
    await writeFile(join(shop.folder, 'data/images/blobs/sha256', hexOf(two.id)), '{}');
    const done = await shop.open();
    expect(done.join('\n')).toMatch(
      /dropped image two:1: Cannot use blob .*\n.*gone from the storage driver\nunpacked image/,
    );
    expect((await shop.store.list()).map(({ tags }) => tags)).toEqual([['one:1']]);
    expect(await shop.contentOf('one:1')).toEqual({ motd: 'hello', old: 'old' });
    expect(await shop.open()).toEqual([]);
    await shop.load(await dockerArchive(two, 'two:1'));
  });

  test('layers that a container still has are kept, said so, and swept later', async () => {
    const image = await imageOf([base, upper]);
    await shop.load(await dockerArchive(image, 'held:1'));
    await shop.driver.create('container', (await shop.store.get('held:1')).topLayer);
    await expect(shop.store.remove('held:1', nobody)).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining('container'),
    });
    expect(await shop.store.list()).toEqual([]);
    expect((await shop.open()).filter((line) => line.startsWith('kept')).length).toBe(4);
    expect(await shop.driver.list()).toHaveLength(3);
    await shop.driver.remove('container');
    await shop.open();
    await shop.expectEmpty();
  });

  test('an image that a stopped container has goes by force, and its layers after the container', async () => {
    const [image, other] = await Promise.all([imageOf([base, upper]), imageOf([base])]);
    const archive = await dockerArchive(image, 'held:1');
    const usedBy = new Map([[image.id, [{ id: 'container', isRunning: false }]]]);
    await shop.load(archive);
    await shop.driver.create('container', (await shop.store.get('held:1')).topLayer);
    await expect(shop.store.remove('held:1', { force: false, usedBy })).rejects.toMatchObject({
      kind: 'conflict',
    });
    for (const _ of ['the first time', 'after it was loaded again']) {
      expect(await shop.store.remove('held:1', { force: true, usedBy })).toEqual([
        { untagged: 'held:1' },
        { deleted: image.id },
      ]);
      expect(await shop.store.list()).toEqual([]);
      await shop.store.sweep();
      expect(await shop.driver.list()).toHaveLength(3);
      // Another one, upon a layer that the container has, comes and goes as ever.
      await shop.load(await dockerArchive(other, 'other:1'));
      expect(await shop.store.remove('other:1', nobody)).toEqual([
        { untagged: 'other:1' },
        { deleted: other.id },
      ]);
      await shop.load(archive);
      expect(await shop.contentOf('held:1')).toEqual({ motd: 'hello', new: 'new' });
      expect(await shop.open()).toEqual([]);
    }
    await shop.store.remove('held:1', { force: true, usedBy });
    await shop.driver.remove('container');
    await shop.store.sweep();
    await shop.expectEmpty();
  });

  test('damaged records and a damaged index cost names at most', async () => {
    const [one, two] = await Promise.all([imageOf([base]), imageOf([base, upper])]);
    await shop.load(await dockerArchive(one, 'one:1'));
    await shop.load(await dockerArchive(two, 'two:1'));
    const images = join(shop.folder, 'data/images');
    await shop.driver.create('container', (await shop.store.get('two:1')).topLayer);
    for (const record of await readdir(join(images, 'layers'))) {
      await truncate(join(images, 'layers', record));
    }
    // The container's layer holds those below, so they are whole; only their records come back.
    const done = await shop.open();
    expect(done.filter((line) => line.startsWith('kept layer')).length).toBe(2);
    expect(await shop.contentOf('two:1')).toEqual({ motd: 'hello', new: 'new' });
    expect((await shop.store.get('two:1')).size).toBe(100_011);
    await shop.driver.remove('container');
    await writeFile(join(images, 'index.json'), '{"schemaVersion":');
    expect((await shop.open()).join()).toMatch(/found 2 images again, without their names/);
    expect((await shop.store.list()).map(({ id }) => id).sort()).toEqual([one.id, two.id].sort());
    expect(await shop.contentOf(two.id)).toEqual({ motd: 'hello', new: 'new' });
    expect(await shop.open()).toEqual([]);
  });
});
