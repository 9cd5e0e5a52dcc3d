import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { digestOf } from './digest.ts';
import { base, bytesOf, changeEverything, listed } from './image-contents.ts';
import { dockerArchive, imageOf, ociArchive } from './image-fixture.ts';
import { describeWithImages, nobody } from './image-suite.ts';
import { base as small, upper } from './small-image.ts';
import { archiveTree } from './tar-writing/archive-tree.ts';
import { saveImages } from './write-archive.ts';

await describeWithImages('agreement with skopeo and umoci', (shop) => {
  test('skopeo and umoci read what is saved, and unpack the same tree', { timeout: 90_000 }, async ({
    skip,
  }) => {
    const missing = await missingTools('skopeo', 'umoci');
    if (missing) skip(missing);
    await shop.load(await dockerArchive(await imageOf([base]), 'box:1'));
    const id = await shop.commit('box:1', '1', changeEverything);
    const saved = join(shop.folder, 'saved.tar');
    await writeFile(saved, await bytesOf(saveImages(shop.store, ['made:1'], 'oci')));
    const forms = [`docker-archive:${saved}:made:1`, `oci-archive:${saved}:1`];
    await writeFile(
      join(shop.folder, 'legacy.tar'),
      await bytesOf(saveImages(shop.store, ['made:1'], 'legacy')),
    );
    forms.push(`docker-archive:${shop.folder}/legacy.tar:made:1`);
    for (const [index, form] of forms.entries()) {
      const layout = join(shop.folder, `layout-${index}`);
      await execa('skopeo', ['--insecure-policy', 'copy', form, `oci:${layout}:it`]);
      const { stdout } = await execa('skopeo', ['inspect', '--config', '--raw', `oci:${layout}:it`]);
      // A docker-archive's configuration is written anew for the layout; its layers stay.
      if (form.startsWith('oci')) expect(digestOf(stdout)).toBe(id);
      else expect(JSON.parse(stdout).rootfs).toEqual((await shop.store.get(id)).config.rootfs);
      const rootfs = join(shop.folder, `rootfs-${index}`);
      await execa('umoci', ['raw', 'unpack', '--image', `${layout}:it`, rootfs]);
      expect(await listed(archiveTree(rootfs))).toEqual(await shop.treeOf('made:1'));
    }
  });

  test("skopeo's and umoci's images load, and unpack the same tree", { timeout: 90_000 }, async ({
    skip,
  }) => {
    const missing = await missingTools('skopeo', 'umoci');
    if (missing) skip(missing);
    const layout = join(shop.folder, 'layout');
    const bundle = join(shop.folder, 'bundle');
    await execa('umoci', ['init', '--layout', layout]);
    await execa('umoci', ['new', '--image', `${layout}:it`]);
    await execa('umoci', ['unpack', '--image', `${layout}:it`, bundle]);
    const root = join(bundle, 'rootfs');
    for (const path of ['etc/gone', 'bin']) await mkdir(join(root, path), { recursive: true });
    for (const path of ['etc/old', 'etc/motd', 'etc/gone/file']) await writeFile(join(root, path), path);
    const repack = async () =>
      execa('umoci', ['repack', '--refresh-bundle', '--image', `${layout}:it`, bundle]);
    await repack();
    await changeEverything(root);
    await repack();
    for (const form of ['docker-archive', 'oci-archive']) {
      const archive = join(shop.folder, `${form}.tar`);
      await execa('skopeo', ['--insecure-policy', 'copy', `oci:${layout}:it`, `${form}:${archive}:theirs:1`]);
      await shop.load(await readFile(archive));
      const theirs = join(shop.folder, `theirs-${form}`);
      await execa('umoci', ['raw', 'unpack', '--image', `${layout}:it`, theirs]);
      expect(await shop.treeOf('theirs:1')).toEqual(await listed(archiveTree(theirs)));
      await shop.store.remove('theirs:1', nobody);
    }
    expect(await shop.driver.list()).toEqual([]);
  });

  test("its folder is an OCI image layout that skopeo reads, and skopeo's archives load", {
    timeout: 60_000,
  }, async ({ skip }) => {
    const missing = await missingTools('skopeo');
    if (missing) skip(missing);
    const image = await imageOf([small, upper]);
    await shop.load(await ociArchive(image, 'box:1'));
    const images = join(shop.folder, 'data/images');
    const copy = async (target: string) =>
      execa('skopeo', ['--insecure-policy', 'copy', `oci:${images}:box:1`, target]);
    await copy(`docker-archive:${shop.folder}/docker.tar:from-docker:1`);
    await copy(`oci-archive:${shop.folder}/oci.tar:from-oci:1`);
    await shop.store.remove('box:1', nobody);
    await shop.expectEmpty();
    for (const form of ['docker', 'oci']) {
      expect(await shop.load(await readFile(join(shop.folder, `${form}.tar`)))).toBe(
        `Loaded image: from-${form}:1\n`,
      );
      expect((await shop.store.get(`from-${form}:1`)).id).toBe(image.id);
      expect(await shop.contentOf(`from-${form}:1`)).toEqual({ motd: 'hello', new: 'new' });
    }
  });
});

async function missingTools(...tools: readonly string[]): Promise<string | undefined> {
  for (const tool of tools) {
    const { failed } = await execa(tool, ['--version'], { reject: false });
    if (failed) return `${tool} is not installed`;
  }
  return undefined;
}
