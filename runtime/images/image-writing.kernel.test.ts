import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmod,
  chown,
  link,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HullError } from '../base/errors.ts';
import type { StorageDriver } from '../storage/driver.ts';
import { openDriver } from '../storage/open-driver.ts';
import { withRoot } from '../storage/with-root.ts';
import { openTree, withTree } from '../storage/with-tree.ts';
import { setRawTimes } from '../sys/raw-path.ts';
import { setXattr } from '../sys/xattr.ts';
import { commitImage } from './commit-image.ts';
import { digestOf, hexOf } from './digest.ts';
import { dockerArchive, imageOf, ociArchive } from './image-fixture.ts';
import { historyOf } from './image-history.ts';
import { usageOf } from './image-usage.ts';
import { openImageStore } from './open-image-store.ts';
import { type FixtureEntry, paxOf, tarOf } from './tar-fixture.ts';
import { readTar } from './tar-reader.ts';
import { archiveChanges, archiveTree } from './tar-writing/archive-tree.ts';
import { saveImages } from './write-archive.ts';

const nobody = { force: false, usedBy: new Map<string, readonly string[]>() };
const capability = Buffer.from('0100000280040000000000000000000000000000', 'hex');
const base: FixtureEntry[] = [
  { name: 'etc', type: 'directory' },
  { name: 'etc/motd', data: 'hello' },
  { name: 'etc/old', data: 'old' },
  { name: 'etc/gone', type: 'directory' },
  { name: 'etc/gone/file', data: 'x' },
  { name: 'bin', type: 'directory' },
  { name: 'bin/tool', mode: 0o4755, data: 'x'.repeat(100_000) },
  { name: 'bin/twin', type: 'link', linkname: 'bin/tool' },
];

for (const name of ['vfs', 'overlay']) {
  const reason = await whyNot(name);
  describe.skipIf(reason !== '')(`writing images on ${name}${reason && ` (skipped: ${reason})`}`, () => {
    let folder: string;
    let driver: StorageDriver;
    let closed = true;
    let store: Awaited<ReturnType<typeof openImageStore>>;

    const place = () => ({ dataRoot: join(folder, 'data'), execRoot: join(folder, 'exec') });
    const close = async (): Promise<void> => {
      if (!closed) await driver.close();
      closed = true;
    };
    const open = async (): Promise<readonly string[]> => {
      await close();
      driver = (await openDriver(name, place())).driver;
      closed = false;
      await driver.reconcile(new Set());
      store = await openImageStore({ root: join(folder, 'data/images'), driver });
      return store.reconcile();
    };
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'hull-writing-'));
      await mkdir(join(folder, 'exec'));
      await open();
    });
    afterEach(async () => {
      await close();
      await rm(folder, { recursive: true, force: true });
    });

    const load = async (archive: Buffer): Promise<void> => {
      for await (const _ of store.load(Readable.from([archive])));
    };
    const treeOf = async (reference: string): Promise<readonly string[]> => {
      const { topLayer = '' } = await store.get(reference);
      return withTree(driver, topLayer, (root) => listed(archiveTree(root)));
    };
    /** As a container would: a layer of its own upon the image, changed, committed, gone. */
    const commit = async (
      parent: string,
      tag: string | undefined,
      change: (root: string) => Promise<void>,
    ): Promise<string> => {
      const image = await store.get(parent);
      await driver.create('c1', image.topLayer);
      await withRoot(driver, 'c1', change);
      async function* changes() {
        await using own = await openTree(driver, 'c1');
        await using below = await openTree(driver, image.topLayer ?? '');
        yield* archiveChanges(own.path, below.path);
      }
      const id = await commitImage(store, {
        parent: image.id,
        changes: changes(),
        config: { Cmd: ['/bin/new'] },
        container: 'c1',
        createdBy: `make ${tag}`,
        author: 'somebody',
        comment: 'why',
        reference: tag === undefined ? undefined : { repository: 'made', tag },
      });
      const own = await withTree(driver, 'c1', (root) => listed(archiveTree(root)));
      expect(await treeOf(id)).toEqual(own);
      await driver.remove('c1');
      return id;
    };

    const everything = async (root: string): Promise<void> => {
      await rm(join(root, 'etc/gone'), { recursive: true });
      await rm(join(root, 'etc/old'));
      await mkdir(join(root, 'etc/old'), { mode: 0o700 });
      await writeFile(join(root, 'etc/old/inner'), 'now a folder');
      await rename(join(root, 'etc/motd'), join(root, 'etc/moved'));
      await writeFile(join(root, 'large'), randomBytes(3_000_000));
      await link(join(root, 'large'), join(root, 'large-too'));
      await chown(join(root, 'large'), 1000, 3_000_000_000);
      await chmod(join(root, 'large'), 0o6711);
      setXattr(join(root, 'large'), 'security.capability', capability);
      setXattr(join(root, 'large'), 'trusted.note', Buffer.from([0, 255, 10]));
      await symlink('/nowhere', join(root, 'soft'));
      await mkdir(join(root, `${'deep'.repeat(50)}/${'deeper'.repeat(30)}`), { recursive: true });
      setRawTimes(Buffer.from(join(root, 'soft')), -7n, 5);
      setRawTimes(Buffer.from(join(root, 'large')), 1_600_000_000n, 123_456_789);
    };

    test('a commit is the tree it was made of, with its parents, history and sizes', async () => {
      const image = await imageOf([base]);
      await load(await dockerArchive(image, 'box:1'));
      const one = await commit('box:1', '1', everything);
      const two = await commit(one, undefined, (root) => writeFile(join(root, 'etc/more'), 'more'));
      const three = await commit(two, '3', async () => undefined);
      const top = await store.get('made:3');
      expect(top).toMatchObject({ id: three, parent: two });
      expect(top.layers).toHaveLength(3);
      expect(top.config).toMatchObject({ author: 'somebody', comment: 'why', config: { Cmd: ['/bin/new'] } });
      const images = await store.list();
      expect(
        historyOf(top, images).map(({ id, size, createdBy, tags }) => [id, size, createdBy, tags]),
      ).toEqual([
        [three, 0, 'make 3', ['made:3']],
        [two, 4, 'make undefined', []],
        [one, 3_000_017, 'make 1', ['made:1']],
        [image.id, 100_009, 'test', ['box:1']],
      ]);
      expect(usageOf(images).total).toBe(3_100_030);
      expect(await open()).toEqual([]);
      expect((await store.get(three)).parent).toBe(two);
    });

    test('an image with children loses its name only; nameless parents go with the last child', async () => {
      await load(await dockerArchive(await imageOf([base]), 'box:1'));
      const { id } = await store.get('box:1');
      const middle = await commit('box:1', undefined, (root) => writeFile(join(root, 'a'), 'a'));
      const one = await commit(middle, '1', (root) => writeFile(join(root, 'b'), 'b'));
      const two = await commit(middle, '2', (root) => writeFile(join(root, 'c'), 'c'));
      await expect(store.remove(middle, { ...nobody, force: true })).rejects.toMatchObject({
        kind: 'conflict',
        message: expect.stringContaining('dependent child images'),
      });
      expect(await store.remove('box:1', nobody)).toEqual([{ untagged: 'box:1' }]);
      expect((await store.remove('made:1', nobody)).slice(0, 2)).toEqual([
        { untagged: 'made:1' },
        { deleted: one },
      ]);
      expect((await store.list()).map((image) => image.id).sort()).toEqual([id, middle, two].sort());
      // Going back: an earlier step gets a name, and stays.
      await store.tag(middle, { repository: 'made', tag: 'back' });
      const gone = await store.remove('made:2', nobody);
      expect(gone.slice(0, 2)).toEqual([{ untagged: 'made:2' }, { deleted: two }]);
      expect((await store.get('made:back')).id).toBe(middle);
      const last = await store.remove('made:back', nobody);
      expect(last.slice(0, 3)).toEqual([{ untagged: 'made:back' }, { deleted: middle }, { deleted: id }]);
      expect(await store.list()).toEqual([]);
      expect(await driver.list()).toEqual([]);
    });

    test.each(['oci', 'legacy'] as const)(
      'what is saved as %s loads again: same ids, names, trees',
      async (form) => {
        await load(await ociArchive(await imageOf([base]), 'docker.io/library/box:1'));
        await store.tag('box:1', { repository: 'box', tag: 'two' });
        const id = await commit('box:1', '1', everything);
        const [tree, ids] = [await treeOf(id), (await store.list()).map((image) => image.id).sort()];
        const archive = await bytesOf(saveImages(store, ['box', 'made:1'], form));
        expect(await bytesOf(saveImages(store, ['box', 'made:1'], form))).toEqual(archive);
        await store.remove('made:1', nobody);
        await store.remove('box:1', nobody);
        await store.remove('box:two', nobody);
        expect(await driver.list()).toEqual([]);
        await load(gzipSync(archive));
        expect((await store.list()).map((image) => image.id).sort()).toEqual(ids);
        expect((await store.get('box:1')).tags.toSorted()).toEqual(['box:1', 'box:two']);
        expect(await treeOf('made:1')).toEqual(tree);
        if (form === 'oci') expect((await store.get('made:1')).parent).toBe((await store.get('box:1')).id);
      },
    );

    test('an id is saved without names, an unknown name is refused before the first byte', async () => {
      await load(await dockerArchive(await imageOf([base]), 'box:1'));
      const { id } = await store.get('box:1');
      const archive = await bytesOf(saveImages(store, [hexOf(id).slice(0, 12)], 'oci'));
      await store.remove('box:1', nobody);
      await load(archive);
      expect((await store.get(id)).tags).toEqual([]);
      await expect(saveImages(store, [id, 'nosuch'], 'oci').next()).rejects.toMatchObject({
        kind: 'not-found',
      });
    });

    test('a save goes on though the image is removed meanwhile', async () => {
      const image = await imageOf([[{ name: 'large', data: randomBytes(4_000_000) }]]);
      await load(await dockerArchive(image, 'box:1'));
      const archive = saveImages(store, ['box:1'], 'oci');
      const first = await archive.next();
      await store.remove('box:1', nobody);
      const chunks: Uint8Array[] = first.done ? [] : [first.value];
      for await (const chunk of archive) chunks.push(chunk);
      await load(Buffer.concat(chunks));
      expect((await store.get('box:1')).id).toBe(image.id);
    });

    test('a commit that is killed at any moment is undone or whole at the next start', {
      timeout: 120_000,
    }, async () => {
      await load(await dockerArchive(await imageOf([base]), 'box:1'));
      const { id, topLayer } = await store.get('box:1');
      const blobs = await listing(join(folder, 'data/images/blobs/sha256'));
      await close();
      const archive = join(folder, 'layer.tar');
      const many = Array.from({ length: 300 }, (_, index) => ({ name: `f${index}`, data: 'y'.repeat(3000) }));
      await writeFile(archive, await tarOf(many));
      const outcomes = new Set<string>();
      for (let round = 0; round < 8; round++) {
        const { dataRoot, execRoot } = place();
        const script = fileURLToPath(new URL('commit-child.ts', import.meta.url));
        const child = spawn(process.execPath, [script, name, dataRoot, execRoot, id, archive], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        const exit = once(child, 'exit');
        // A child that ends by itself did not even open the store.
        const ended = exit.then(() => Promise.reject(new Error('the child ended before it was killed')));
        await Promise.race([once(child.stdout, 'data'), ended]);
        ended.catch(() => undefined);
        await sleep(round * 15);
        child.kill('SIGKILL');
        await exit;
        await open();
        const made = (await store.list()).find((image) => image.id !== id);
        outcomes.add(made ? 'whole' : 'undone');
        if (made) {
          expect(made.tags).toEqual(['committed:1']);
          expect((await treeOf('committed:1')).join()).toContain('f299');
          await store.remove('committed:1', nobody);
        }
        expect(await driver.list()).toEqual([topLayer]);
        expect(await listing(join(folder, 'data/images/blobs/sha256'))).toEqual(blobs);
        expect(await listing(join(folder, 'data/images/spool'))).toEqual([]);
        await close();
      }
      await open();
      expect(outcomes).toContain('undone');
      const again = await commit('box:1', '1', (root) => writeFile(join(root, 'a'), 'a'));
      expect((await store.get('made:1')).id).toBe(again);
    });

    describe('agreement', () => {
      test('skopeo and umoci read what is saved, and unpack the same tree', { timeout: 90_000 }, async ({
        skip,
      }) => {
        const missing = await missingTools('skopeo', 'umoci');
        if (missing) skip(missing);
        await load(await dockerArchive(await imageOf([base]), 'box:1'));
        const id = await commit('box:1', '1', everything);
        const saved = join(folder, 'saved.tar');
        await writeFile(saved, await bytesOf(saveImages(store, ['made:1'], 'oci')));
        const forms = [`docker-archive:${saved}:made:1`, `oci-archive:${saved}:1`];
        await writeFile(join(folder, 'legacy.tar'), await bytesOf(saveImages(store, ['made:1'], 'legacy')));
        forms.push(`docker-archive:${folder}/legacy.tar:made:1`);
        for (const [index, form] of forms.entries()) {
          const layout = join(folder, `layout-${index}`);
          await execa('skopeo', ['--insecure-policy', 'copy', form, `oci:${layout}:it`]);
          const { stdout } = await execa('skopeo', ['inspect', '--config', '--raw', `oci:${layout}:it`]);
          // A docker-archive's configuration is written anew for the layout; its layers stay.
          if (form.startsWith('oci')) expect(digestOf(stdout)).toBe(id);
          else expect(JSON.parse(stdout).rootfs).toEqual((await store.get(id)).config.rootfs);
          const rootfs = join(folder, `rootfs-${index}`);
          await execa('umoci', ['raw', 'unpack', '--image', `${layout}:it`, rootfs]);
          expect(await listed(archiveTree(rootfs))).toEqual(await treeOf('made:1'));
        }
      });

      test("skopeo's and umoci's images load, and unpack the same tree", { timeout: 90_000 }, async ({
        skip,
      }) => {
        const missing = await missingTools('skopeo', 'umoci');
        if (missing) skip(missing);
        const layout = join(folder, 'layout');
        const bundle = join(folder, 'bundle');
        await execa('umoci', ['init', '--layout', layout]);
        await execa('umoci', ['new', '--image', `${layout}:it`]);
        await execa('umoci', ['unpack', '--image', `${layout}:it`, bundle]);
        const root = join(bundle, 'rootfs');
        for (const path of ['etc/gone', 'bin']) await mkdir(join(root, path), { recursive: true });
        for (const path of ['etc/old', 'etc/motd', 'etc/gone/file']) await writeFile(join(root, path), path);
        const repack = async () =>
          execa('umoci', ['repack', '--refresh-bundle', '--image', `${layout}:it`, bundle]);
        await repack();
        await everything(root);
        await repack();
        for (const form of ['docker-archive', 'oci-archive']) {
          const archive = join(folder, `${form}.tar`);
          await execa('skopeo', [
            '--insecure-policy',
            'copy',
            `oci:${layout}:it`,
            `${form}:${archive}:theirs:1`,
          ]);
          await load(await readFile(archive));
          const theirs = join(folder, `theirs-${form}`);
          await execa('umoci', ['raw', 'unpack', '--image', `${layout}:it`, theirs]);
          expect(await treeOf('theirs:1')).toEqual(await listed(archiveTree(theirs)));
          await store.remove('theirs:1', nobody);
        }
        expect(await driver.list()).toEqual([]);
      });
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
      await load(archive);
      // The id that Docker 20.10 gives to the same archive.
      const found = await store.get('old:box');
      expect(found.config.rootfs.diff_ids).toEqual(image.layers.map((layer) => digestOf(layer)));
      expect(found.config.history).toEqual(
        [0, 1].map(() => ({ created: '2015-01-01T00:00:00Z', created_by: 'sh -c a<b' })),
      );
      expect((await treeOf('old:box')).join()).toContain('etc/new');
      const cut = await tarOf([
        document(top, bottom),
        { name: `${top}/layer.tar`, data: image.layers[1] ?? '' },
      ]);
      await expect(load(cut)).rejects.toMatchObject({
        kind: 'invalid',
        message: expect.stringContaining(bottom),
      });
    });
  });
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** All that an archive says of each file. */
async function listed(archive: AsyncIterable<Uint8Array>): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const entry of readTar(archive)) {
    const { type, name, linkName, mode, uid, gid, mtime, major, minor, xattrs } = entry;
    const content = digestOf(await bytesOf(entry.body())).slice(7, 19);
    const attributes = [...xattrs].map(([key, value]) => `${key}=${value.toString('hex')}`);
    const time = `${mtime.seconds}s${mtime.nanoseconds}`;
    found.push(
      [type, name, linkName, mode.toString(8), uid, gid, time, major, minor, content, ...attributes].join(
        ' ',
      ),
    );
  }
  return found;
}

async function listing(path: string): Promise<readonly string[]> {
  const { readdir } = await import('node:fs/promises');
  return (await readdir(path)).sort();
}

async function missingTools(...tools: readonly string[]): Promise<string | undefined> {
  for (const tool of tools) {
    const { failed } = await execa(tool, ['--version'], { reject: false });
    if (failed) return `${tool} is not installed`;
  }
  return undefined;
}

/** Why the driver cannot be tried here; empty when it can. */
async function whyNot(name: string): Promise<string> {
  if (process.getuid?.() !== 0) return 'needs root to mount';
  const folder = await mkdtemp(join(tmpdir(), 'hull-writing-'));
  try {
    const { driver } = await openDriver(name, {
      dataRoot: join(folder, 'data'),
      execRoot: join(folder, 'exec'),
    });
    await driver.close();
    return '';
  } catch (error) {
    if (error instanceof HullError && error.kind === 'unsupported') return error.message;
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
