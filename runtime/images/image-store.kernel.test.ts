import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
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
import { chainIds, digestOf, hexOf } from './digest.ts';
import { dockerArchive, type FixtureImage, imageOf, ociArchive } from './image-fixture.ts';
import type { ImageStore } from './image-store.ts';
import { openImageStore } from './open-image-store.ts';
import { type FixtureEntry, tarOf } from './tar-fixture.ts';

const nobody = { force: false, usedBy: new Map<string, readonly string[]>() };
const base: FixtureEntry[] = [
  { name: 'etc/motd', data: 'hello' },
  { name: 'etc/old', data: 'old' },
  { name: 'bin/tool', mode: 0o4755, data: 'x'.repeat(100_000) },
];
const upper: FixtureEntry[] = [{ name: 'etc/.wh.old' }, { name: 'etc/new', data: 'new' }];

for (const name of ['vfs', 'overlay']) {
  const reason = await whyNot(name);
  describe.skipIf(reason !== '')(`image store on ${name}${reason && ` (skipped: ${reason})`}`, () => {
    let folder: string;
    let driver: StorageDriver;
    let closed = true;
    let store: ImageStore;

    const place = () => ({ dataRoot: join(folder, 'data'), execRoot: join(folder, 'exec') });
    const close = async (): Promise<void> => {
      if (!closed) await driver.close();
      closed = true;
    };
    /** As a start of the daemon does. */
    const open = async (): Promise<readonly string[]> => {
      await close();
      driver = (await openDriver(name, place())).driver;
      closed = false;
      await driver.reconcile(new Set());
      store = await openImageStore({ root: join(folder, 'data/images'), driver });
      return store.reconcile();
    };

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'hull-images-'));
      await mkdir(join(folder, 'exec'));
      await open();
    });
    afterEach(async () => {
      await close();
      await rm(folder, { recursive: true, force: true });
    });

    const load = async (archive: Buffer): Promise<string> => {
      const lines: string[] = [];
      for await (const { stream } of store.load(Readable.from([archive]))) lines.push(stream ?? '');
      return lines.join('');
    };

    const contentOf = async (reference: string): Promise<Record<string, string>> => {
      const { topLayer = '' } = await store.get(reference);
      return withRoot(driver, topLayer, async (root) => {
        const names = (await readdir(join(root, 'etc'))).sort();
        return Object.fromEntries(
          await Promise.all(
            names.map(async (file) => [file, await readFile(join(root, 'etc', file), 'utf8')]),
          ),
        );
      });
    };

    /** Nothing of any image: no blob, no layer, no half-read archive. */
    const expectEmpty = async (): Promise<void> => {
      const images = join(folder, 'data/images');
      expect(await store.list()).toEqual([]);
      expect(await driver.list()).toEqual([]);
      for (const each of ['blobs/sha256', 'layers', 'spool'])
        expect(await readdir(join(images, each))).toEqual([]);
    };

    test('loads, lists, finds, tags and removes', async () => {
      const image = await imageOf([base, upper]);
      expect(await load(await dockerArchive(image, 'docker.io/library/box:1'))).toBe('Loaded image: box:1\n');
      const found = await store.get('box:1');
      expect(found).toMatchObject({
        id: image.id,
        tags: ['box:1'],
        createdAt: '2026-01-01T00:00:00Z',
        size: 100_011,
      });
      expect(found.topLayer).toBe(
        `image-${hexOf(chainIds(image.layers.map((layer) => digestOf(layer)))[1] ?? '')}`,
      );
      expect(await contentOf('box:1')).toEqual({ motd: 'hello', new: 'new' });
      await store.tag('box:1', { repository: 'team/other', tag: 'v2' });
      expect((await store.get(hexOf(image.id).slice(0, 12))).tags).toEqual(['box:1', 'team/other:v2']);
      expect(await store.remove('box:1', nobody)).toEqual([{ untagged: 'box:1' }]);
      const used = { force: false, usedBy: new Map([[image.id, ['c1']]]) };
      await expect(store.remove('team/other:v2', used)).rejects.toMatchObject({ kind: 'conflict' });
      expect(await store.remove('team/other:v2', { ...used, force: true })).toEqual([
        { untagged: 'team/other:v2' },
      ]);
      expect((await store.list()).map(({ tags }) => tags)).toEqual([[]]);
      expect(await open()).toEqual([]);
      const [top, bottom] = chainIds(image.layers.map((layer) => digestOf(layer))).toReversed();
      expect(await store.remove(image.id, nobody)).toEqual([
        { deleted: image.id },
        { deleted: top },
        { deleted: bottom },
      ]);
      await expectEmpty();
      await expect(store.get('box:1')).rejects.toMatchObject({ kind: 'not-found' });
    });

    test('images share layers, which go with the last of them; a name moves to the newer image', async () => {
      const [one, two] = await Promise.all([imageOf([base]), imageOf([base, upper])]);
      await load(await ociArchive(one, 'app:1'));
      await load(gzipSync(await dockerArchive(two, 'app:1', 'app:2')));
      expect((await driver.list()).length).toBe(2);
      expect((await store.get(one.id)).tags).toEqual([]);
      expect((await store.get('app:1')).id).toBe(two.id);
      await store.remove(one.id, nobody);
      expect(await contentOf('app:2')).toEqual({ motd: 'hello', new: 'new' });
      await store.remove(two.id, { ...nobody, force: true });
      await expectEmpty();
    });

    test('loads side by side', async () => {
      const images = await Promise.all(
        [1, 2, 3, 4].map((number) => imageOf([base, [{ name: `etc/${number}` }]])),
      );
      await Promise.all(
        images.map(async (image, index) => load(await dockerArchive(image, `side:${index}`))),
      );
      expect((await store.list()).length).toBe(4);
      expect((await driver.list()).length).toBe(5);
      expect(Object.keys(await contentOf('side:2'))).toEqual(['3', 'motd', 'old']);
    });

    test('imports a root file system with a config', async () => {
      const id = await store.import(
        Readable.from([gzipSync(await tarOf(base))]),
        { repository: 'imported', tag: 'latest' },
        { Cmd: ['/bin/tool'], Env: ['A=b'] },
      );
      const image = await store.get('imported');
      expect(image.id).toBe(id);
      expect(image.config.config).toEqual({ Cmd: ['/bin/tool'], Env: ['A=b'] });
      expect(image.config.rootfs.diff_ids).toEqual([digestOf(await tarOf(base))]);
      expect(await contentOf(id)).toEqual({ motd: 'hello', old: 'old' });
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
      await expect(load(await archive(await imageOf([base])))).rejects.toMatchObject({
        kind: 'invalid',
        message: expect.stringMatching(message),
      });
      await expectEmpty();
      expect(await readdir(folder)).toEqual(['data', 'exec']);
    });

    test('a failed load leaves the images that are there alone', async () => {
      const image = await imageOf([base]);
      await load(await dockerArchive(image, 'good:1'));
      const bad = await imageOf([base, [{ name: 'etc/motd/file' }]]);
      await expect(load(await dockerArchive(bad, 'good:1'))).rejects.toThrow(
        /found a file at "etc\/motd", wanted a folder/,
      );
      expect((await store.get('good:1')).id).toBe(image.id);
      expect(await contentOf('good:1')).toEqual({ motd: 'hello', old: 'old' });
      expect((await driver.list()).length).toBe(1);
    });

    test('mends what somebody took: a layer comes back from its blob, an image without its config goes', async () => {
      const [one, two] = await Promise.all([imageOf([base]), imageOf([upper])]);
      await load(await dockerArchive(one, 'one:1'));
      await load(await dockerArchive(two, 'two:1'));
      const { topLayer = '' } = await store.get('one:1');
      await driver.remove(topLayer);
      await writeFile(join(folder, 'data/images/blobs/sha256', hexOf(two.id)), '{}');
      const done = await open();
      expect(done.join('\n')).toMatch(
        /dropped image two:1: Cannot use blob .*\n.*gone from the storage driver\nunpacked image/,
      );
      expect((await store.list()).map(({ tags }) => tags)).toEqual([['one:1']]);
      expect(await contentOf('one:1')).toEqual({ motd: 'hello', old: 'old' });
      expect(await open()).toEqual([]);
      await load(await dockerArchive(two, 'two:1'));
    });

    test('layers that a container still has are kept, said so, and swept later', async () => {
      const image = await imageOf([base, upper]);
      await load(await dockerArchive(image, 'held:1'));
      await driver.create('container', (await store.get('held:1')).topLayer);
      await expect(store.remove('held:1', nobody)).rejects.toMatchObject({
        kind: 'conflict',
        message: expect.stringContaining('container'),
      });
      expect(await store.list()).toEqual([]);
      expect((await open()).filter((line) => line.startsWith('kept')).length).toBe(4);
      expect(await driver.list()).toHaveLength(3);
      await driver.remove('container');
      await open();
      await expectEmpty();
    });

    test('damaged records and a damaged index cost names at most', async () => {
      const [one, two] = await Promise.all([imageOf([base]), imageOf([base, upper])]);
      await load(await dockerArchive(one, 'one:1'));
      await load(await dockerArchive(two, 'two:1'));
      const images = join(folder, 'data/images');
      await driver.create('container', (await store.get('two:1')).topLayer);
      for (const record of await readdir(join(images, 'layers'))) {
        await truncate(join(images, 'layers', record));
      }
      // The container's layer holds those below, so they are whole; only their records come back.
      const done = await open();
      expect(done.filter((line) => line.startsWith('kept layer')).length).toBe(2);
      expect(await contentOf('two:1')).toEqual({ motd: 'hello', new: 'new' });
      expect((await store.get('two:1')).size).toBe(100_011);
      await driver.remove('container');
      await writeFile(join(images, 'index.json'), '{"schemaVersion":');
      expect((await open()).join()).toMatch(/found 2 images again, without their names/);
      expect((await store.list()).map(({ id }) => id).sort()).toEqual([one.id, two.id].sort());
      expect(await contentOf(two.id)).toEqual({ motd: 'hello', new: 'new' });
      expect(await open()).toEqual([]);
    });

    test('a load that is killed at any moment is undone or whole at the next start', {
      timeout: 120_000,
    }, async () => {
      await close();
      const many = Array.from(
        { length: 200 },
        (_, index): FixtureEntry => ({ name: `etc/f${index}`, data: 'y'.repeat(3000) }),
      );
      const image = await imageOf([base, many, upper]);
      const archive = join(folder, 'archive.tar');
      await writeFile(archive, await dockerArchive(image, 'crash:1'));
      const outcomes = new Set<string>();
      for (let round = 0; round < 8; round++) {
        const { dataRoot, execRoot } = place();
        const script = fileURLToPath(new URL('crash-child.ts', import.meta.url));
        const child = spawn(process.execPath, [script, name, dataRoot, execRoot, archive], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        const exit = once(child, 'exit');
        await once(child.stdout, 'data');
        await sleep(round * 15);
        child.kill('SIGKILL');
        await exit;
        await open();
        const images = await store.list();
        outcomes.add(images.length === 0 ? 'undone' : 'whole');
        if (images.length > 0) {
          expect(Object.keys(await contentOf('crash:1')).length).toBe(202);
          await store.remove('crash:1', nobody);
        }
        await expectEmpty();
        await close();
      }
      await open();
      expect(outcomes).toContain('undone');
      await load(await dockerArchive(image, 'crash:1'));
      expect(Object.keys(await contentOf('crash:1')).length).toBe(202);
    });

    test.each([
      ['the archive', 3],
      ['the layers', 6],
    ])(
      'a disk too small for %s is an error that says so, and leaves nothing',
      { timeout: 60_000 },
      async (_, size) => {
        const data = randomBytes(4 * 1024 * 1024);
        const archives = [await imageOf([base, [{ name: 'etc/large', data }]]), await imageOf([upper])];
        const [large, small] = ['large.tar', 'small.tar'].map((file) => join(folder, file));
        await writeFile(large ?? '', await dockerArchive(archives[0] ?? expect.fail(), 'large:1'));
        await writeFile(small ?? '', await dockerArchive(archives[1] ?? expect.fail(), 'small:1'));
        const full = join(folder, 'full');
        await mkdir(full);
        const script = fileURLToPath(new URL('full-disk-child.ts', import.meta.url));
        const mount = `mount -t tmpfs -o size=${size}m none "$1" && exec "$2" "$3" "$4" "$1" "$5" "$6"`;
        const words = ['sh', full, process.execPath, script, name, large ?? '', small ?? ''];
        const { stdout } = await execa('unshare', ['--mount', 'sh', '-c', mount, ...words]);
        const { first, left, second, ...removal } = JSON.parse(stdout);
        expect(first).toMatch(/^exhausted: .*ENOSPC/);
        expect(left).toEqual([]);
        expect(second).toBe('loaded');
        expect(removal).toEqual({ full: 'ENOSPC', removed: 3, after: [] });
      },
    );

    test("its folder is an OCI image layout that skopeo reads, and skopeo's archives load", {
      timeout: 60_000,
    }, async ({ skip }) => {
      const skopeo = await execa('skopeo', ['--version'], { reject: false });
      if (skopeo.failed) skip('skopeo is not installed');
      const image = await imageOf([base, upper]);
      await load(await ociArchive(image, 'box:1'));
      const images = join(folder, 'data/images');
      const copy = async (target: string) =>
        execa('skopeo', ['--insecure-policy', 'copy', `oci:${images}:box:1`, target]);
      await copy(`docker-archive:${folder}/docker.tar:from-docker:1`);
      await copy(`oci-archive:${folder}/oci.tar:from-oci:1`);
      await store.remove('box:1', nobody);
      await expectEmpty();
      for (const form of ['docker', 'oci']) {
        expect(await load(await readFile(join(folder, `${form}.tar`)))).toBe(
          `Loaded image: from-${form}:1\n`,
        );
        expect((await store.get(`from-${form}:1`)).id).toBe(image.id);
        expect(await contentOf(`from-${form}:1`)).toEqual({ motd: 'hello', new: 'new' });
      }
    });
  });
}

/** Why the driver cannot be tried here; empty when it can. */
async function whyNot(name: string): Promise<string> {
  if (process.getuid?.() !== 0) return 'needs root to mount';
  const folder = await mkdtemp(join(tmpdir(), 'hull-images-'));
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
