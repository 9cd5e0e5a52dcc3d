import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { digestOf, hexOf } from './digest.ts';
import { base, bytesOf, changeEverything } from './image-contents.ts';
import { dockerArchive, imageOf, ociArchive } from './image-fixture.ts';
import { describeWithImages, nobody } from './image-suite.ts';
import { paxOf, tarOf } from './tar-fixture.ts';
import { saveImages } from './write-archive.ts';

await describeWithImages('saved images', (shop) => {
  test.each(['oci', 'legacy'] as const)(
    'what is saved as %s loads again: same ids, names, trees',
    async (form) => {
      await shop.load(await ociArchive(await imageOf([base]), 'docker.io/library/box:1'));
      await shop.store.tag('box:1', { repository: 'box', tag: 'two' });
      const id = await shop.commit('box:1', '1', changeEverything);
      const [tree, ids] = [await shop.treeOf(id), (await shop.store.list()).map((image) => image.id).sort()];
      const archive = await bytesOf(saveImages(shop.store, ['box', 'made:1'], form));
      expect(await bytesOf(saveImages(shop.store, ['box', 'made:1'], form))).toEqual(archive);
      await shop.store.remove('made:1', nobody);
      await shop.store.remove('box:1', nobody);
      await shop.store.remove('box:two', nobody);
      expect(await shop.driver.list()).toEqual([]);
      await shop.load(gzipSync(archive));
      expect((await shop.store.list()).map((image) => image.id).sort()).toEqual(ids);
      expect((await shop.store.get('box:1')).tags.toSorted()).toEqual(['box:1', 'box:two']);
      expect(await shop.treeOf('made:1')).toEqual(tree);
      if (form === 'oci')
        expect((await shop.store.get('made:1')).parent).toBe((await shop.store.get('box:1')).id);
    },
  );

  test('an id is saved without names, an unknown name is refused before the first byte', async () => {
    await shop.load(await dockerArchive(await imageOf([base]), 'box:1'));
    const { id } = await shop.store.get('box:1');
    const archive = await bytesOf(saveImages(shop.store, [hexOf(id).slice(0, 12)], 'oci'));
    await shop.store.remove('box:1', nobody);
    await shop.load(archive);
    expect((await shop.store.get(id)).tags).toEqual([]);
    await expect(saveImages(shop.store, [id, 'nosuch'], 'oci').next()).rejects.toMatchObject({
      kind: 'not-found',
    });
  });

  test('a save goes on though the image is removed meanwhile', async () => {
    const image = await imageOf([[{ name: 'large', data: randomBytes(4_000_000) }]]);
    await shop.load(await dockerArchive(image, 'box:1'));
    const archive = saveImages(shop.store, ['box:1'], 'oci');
    const first = await archive.next();
    await shop.store.remove('box:1', nobody);
    const chunks: Uint8Array[] = first.done ? [] : [first.value];
    for await (const chunk of archive) chunks.push(chunk);
    await shop.load(Buffer.concat(chunks));
    expect((await shop.store.get('box:1')).id).toBe(image.id);
  });

  test('the archive before 1.10 loads: folders with json and layer.tar, and repositories', async () => {
    const image = await imageOf([base, [paxOf({ mtime: '5.5' }), { name: 'etc/new', data: 'new' }]]);
    const [bottom, top] = ['a'.repeat(64), 'b'.repeat(64)];
    const document = (id: string, parent?: string) => ({
      name: `${id}/json`,
      data: JSON.stringify({
        id,
        ...(parent && { parent }),
        docker_version: '1.9.1',
        created: '2015-01-01T00:00:00Z',
        container_config: { Cmd: ['sh', '-c', 'a<b'] },
        config: { Cmd: ['/bin/tool'] },
        architecture: 'amd64',
        os: 'linux',
        Size: 5,
      }),
    });
    const archive = await tarOf([
      { name: `${top}/`, type: 'directory' },
      { name: `${top}/VERSION`, data: '1.0' },
      document(top, bottom),
      { name: `${top}/layer.tar`, data: image.layers[1] ?? '' },
      document(bottom),
      { name: `${bottom}/layer.tar`, data: image.layers[0] ?? '' },
      { name: 'repositories', data: JSON.stringify({ old: { box: top } }) },
    ]);
    await shop.load(archive);
    // The id that Docker 20.10 gives to the same archive.
    const found = await shop.store.get('old:box');
    expect(found.config.rootfs.diff_ids).toEqual(image.layers.map((layer) => digestOf(layer)));
    expect(found.config.history).toEqual(
      [0, 1].map(() => ({ created: '2015-01-01T00:00:00Z', created_by: 'sh -c a<b' })),
    );
    expect((await shop.treeOf('old:box')).join()).toContain('etc/new');
    const cut = await tarOf([
      document(top, bottom),
      { name: `${top}/layer.tar`, data: image.layers[1] ?? '' },
    ]);
    await expect(shop.load(cut)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining(bottom),
    });
  });
});
