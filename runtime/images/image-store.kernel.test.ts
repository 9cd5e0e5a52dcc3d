import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { isOnPath } from '../storage/on-path.ts';
import { chainIds, digestOf, hexOf } from './digest.ts';
import { dockerArchive, type FixtureImage, imageOf, ociArchive } from './image-fixture.ts';
import { describeWithImages, nobody } from './image-suite.ts';
import { base, upper } from './small-image.ts';
import { tarOf } from './tar-fixture.ts';

const noXz = (await isOnPath('xz')) ? '' : ' (skipped: no program xz)';

await describeWithImages('image store', (shop) => {
  test('loads, lists, finds, tags and removes', async () => {
    const image = await imageOf([base, upper]);
    expect(await shop.load(await dockerArchive(image, 'docker.io/library/box:1'))).toBe(
      'Loaded image: box:1\n',
    );
    const found = await shop.store.get('box:1');
    expect(found).toMatchObject({
      id: image.id,
      tags: ['box:1'],
      createdAt: '2026-01-01T00:00:00Z',
      size: 100_011,
    });
    expect(found.topLayer).toBe(
      `image-${hexOf(chainIds(image.layers.map((layer) => digestOf(layer)))[1] ?? '')}`,
    );
    expect(await shop.contentOf('box:1')).toEqual({ motd: 'hello', new: 'new' });
    await shop.store.tag('box:1', { repository: 'team/other', tag: 'v2' });
    expect((await shop.store.get(hexOf(image.id).slice(0, 12))).tags).toEqual(['box:1', 'team/other:v2']);
    expect(await shop.store.remove('box:1', nobody)).toEqual([{ untagged: 'box:1' }]);
    const used = { force: false, usedBy: new Map([[image.id, [{ id: 'c1', isRunning: true }]]]) };
    await expect(shop.store.remove('team/other:v2', used)).rejects.toMatchObject({ kind: 'conflict' });
    expect(await shop.store.remove('team/other:v2', { ...used, force: true })).toEqual([
      { untagged: 'team/other:v2' },
    ]);
    expect((await shop.store.list()).map(({ tags }) => tags)).toEqual([[]]);
    expect(await shop.open()).toEqual([]);
    const [top, bottom] = chainIds(image.layers.map((layer) => digestOf(layer))).toReversed();
    expect(await shop.store.remove(image.id, nobody)).toEqual([
      { deleted: image.id },
      { deleted: top },
      { deleted: bottom },
    ]);
    await shop.expectEmpty();
    await expect(shop.store.get('box:1')).rejects.toMatchObject({ kind: 'not-found' });
  });

  test.skipIf(noXz)(`an image with layers by xz is the same as with plain ones${noXz}`, async () => {
    const image = await imageOf([base, upper]);
    const layers = image.layers.map((input) => execFileSync('xz', ['-c'], { input }));
    await shop.load(await dockerArchive({ ...image, layers }, 'xz:1'));
    await shop.load(await dockerArchive(image, 'plain:1'));
    expect((await shop.store.get(image.id)).tags).toEqual(['xz:1', 'plain:1']);
    expect(await shop.contentOf('xz:1')).toEqual({ motd: 'hello', new: 'new' });
    expect(await shop.open()).toEqual([]);
  });

  test('images share layers, which go with the last of them; a name moves to the newer image', async () => {
    const [one, two] = await Promise.all([imageOf([base]), imageOf([base, upper])]);
    await shop.load(await ociArchive(one, 'app:1'));
    expect(await shop.load(gzipSync(await dockerArchive(two, 'app:1', 'app:2')))).toBe(
      `The image app:1 already exists, renaming the old one with ID ${one.id} to empty string\nLoaded image: app:1\nLoaded image: app:2\n`,
    );
    expect((await shop.driver.list()).length).toBe(2);
    expect((await shop.store.get(one.id)).tags).toEqual([]);
    expect((await shop.store.get('app:1')).id).toBe(two.id);
    await shop.store.remove(one.id, nobody);
    expect(await shop.contentOf('app:2')).toEqual({ motd: 'hello', new: 'new' });
    await shop.store.remove(two.id, { ...nobody, force: true });
    await shop.expectEmpty();
  });

  test('imports a root file system with a config', async () => {
    const id = await shop.store.import(
      Readable.from([gzipSync(await tarOf(base))]),
      { repository: 'imported', tag: 'latest' },
      { Cmd: ['/bin/tool'], Env: ['A=b'] },
    );
    const image = await shop.store.get('imported');
    expect(image.id).toBe(id);
    expect(image.config.config).toEqual({ Cmd: ['/bin/tool'], Env: ['A=b'] });
    expect(image.config.rootfs.diff_ids).toEqual([digestOf(await tarOf(base))]);
    expect(await shop.contentOf(id)).toEqual({ motd: 'hello', old: 'old' });
  });

  test.each<[string, (image: FixtureImage) => Promise<Buffer>, RegExp]>([
    [
      'a layer that is not the one of its diff id',
      async (image) => dockerArchive({ ...image, layers: [await tarOf([{ name: 'other' }])] }, 'bad:1'),
      /the layer: found digest sha256:\w+, wanted/,
    ],
    [
      'a hostile second layer',
      async () => dockerArchive(await imageOf([base, [{ name: '../../evil', data: 'x' }]]), 'bad:1'),
      /found "..\/..\/evil"/,
    ],
    [
      'a cut archive',
      async (image) => (await dockerArchive(image, 'bad:1')).subarray(0, 60_000),
      /end of the file/,
    ],
  ])('refuses %s and leaves nothing', async (_, archive, message) => {
    await expect(shop.load(await archive(await imageOf([base])))).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(message),
    });
    await shop.expectEmpty();
    expect(await readdir(shop.folder)).toEqual(['data', 'exec']);
  });

  test('a failed load leaves the images that are there alone', async () => {
    const image = await imageOf([base]);
    await shop.load(await dockerArchive(image, 'good:1'));
    const bad = await imageOf([base, [{ name: 'etc/motd/file' }]]);
    await expect(shop.load(await dockerArchive(bad, 'good:1'))).rejects.toThrow(
      /found a file at "etc\/motd", wanted a folder/,
    );
    expect((await shop.store.get('good:1')).id).toBe(image.id);
    expect(await shop.contentOf('good:1')).toEqual({ motd: 'hello', old: 'old' });
    expect((await shop.driver.list()).length).toBe(1);
  });
});
