import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Spool } from './blobs.ts';
import { digestOf, hexOf } from './digest.ts';
import { dockerArchive, imageOf, ociArchive } from './image-fixture.ts';
import { readArchive } from './read-archive.ts';
import { type FixtureEntry, piecesOf, tarOf } from './tar-fixture.ts';

let folder: string;
let spool: Spool;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hull-archive-'));
  spool = new Spool(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const read = (archive: Buffer) => readArchive(piecesOf(archive, 4096), spool);
const entries: FixtureEntry[] = [{ name: 'etc/motd', data: 'hello' }];

describe('readArchive', () => {
  test.each<[string, (data: Buffer) => Buffer]>([
    ['plain', (data) => data],
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ])('reads the old form of docker save, %s', async (_, compress) => {
    const image = await imageOf([entries, [{ name: 'b' }], entries]);
    const [found, more] = await read(compress(await dockerArchive(image, 'busybox:1', 'busybox:2')));
    expect(more).toBeUndefined();
    expect(found?.references).toEqual(['busybox:1', 'busybox:2']);
    expect(found?.configBlob.digest).toBe(image.id);
    expect(found?.config.config).toEqual({ Cmd: ['/bin/sh'] });
    expect(found?.layers.map(({ digest }) => digest)).toEqual(image.layers.map((layer) => digestOf(layer)));
    expect(await readFile(found?.layers[0]?.path ?? '')).toEqual(image.layers[0]);
  });

  test.each([true, false])('reads an OCI layout (with manifest.json: %s)', async (dockerToo) => {
    const image = await imageOf([entries]);
    const [found] = await read(await ociArchive(image, 'team/name:v1', dockerToo));
    expect(found?.references).toEqual(['team/name:v1']);
    expect(found?.configBlob.digest).toBe(image.id);
  });

  test('reads several images, and one without a name', async () => {
    const [a, b] = await Promise.all([imageOf([entries]), imageOf([])]);
    const parts = [a, b].map(({ id, config }) => ({ name: `${hexOf(id)}.json`, data: config }));
    const layer = a.layers[0] ?? Buffer.alloc(0);
    const manifest = [
      { Config: parts[0]?.name, RepoTags: ['a:1'], Layers: ['l.tar'] },
      { Config: parts[1]?.name, RepoTags: null, Layers: null },
    ];
    const archive = await tarOf([
      { name: 'manifest.json', data: JSON.stringify(manifest) },
      { name: './l.tar', data: layer },
      ...parts,
    ]);
    expect((await read(archive)).map(({ references, layers }) => [references, layers.length])).toEqual([
      [['a:1'], 1],
      [[], 0],
    ]);
  });

  test('refuses what is no image archive, and leaves the spool to its owner', async () => {
    await expect(read(await tarOf([{ name: 'a', data: 'x' }]))).rejects.toThrow(
      /neither manifest\.json nor index\.json/,
    );
    await expect(read(Buffer.alloc(2000, 'no tar '))).rejects.toMatchObject({ kind: 'invalid' });
    await spool[Symbol.asyncDispose]();
    await expect(readdir(folder)).rejects.toThrow(/ENOENT/);
  });

  test('refuses a config that is not the one its name says', async () => {
    const image = await imageOf([entries]);
    const archive = await dockerArchive({ ...image, config: `${image.config} ` });
    await expect(read(archive)).rejects.toThrow(
      new RegExp(`config ${hexOf(image.id)}.json: found digest sha256:`),
    );
  });

  test('refuses blobs that are not what they are named, or not as long as said', async () => {
    const image = await imageOf([entries]);
    const archive = await ociArchive(image, 'a:1');
    const changed = Buffer.from(archive);
    changed[changed.indexOf('"Cmd"') + 1] = 0x44;
    await expect(read(changed)).rejects.toThrow(/blob sha256:\w+ of the archive: found digest/);
    const size = Buffer.from(archive);
    size[size.lastIndexOf('"size":') + '"size":'.length] = 0x39;
    await expect(read(size)).rejects.toThrow(/found blob sha256:\w+ with \d+ bytes, wanted 9/);
  });

  test.each<[string, (manifest: { Layers: string[] }[]) => void, RegExp]>([
    [
      'names a layer that is absent',
      ([image]) => image?.Layers.splice(0, 1, 'none.tar'),
      /no file "none\.tar"/,
    ],
    [
      'names a layer out of the archive',
      ([image]) => image?.Layers.splice(0, 1, '../../etc/passwd'),
      /inside the root/,
    ],
    [
      'has fewer layers than the config',
      ([image]) => image?.Layers.splice(0, 1),
      /found 0 layers .* wanted 1/,
    ],
    ['has a field of another kind', ([image]) => Object.assign(image ?? {}, { Layers: 'x' }), /0\.Layers/],
  ])('refuses a manifest that %s', async (_, change, message) => {
    const image = await imageOf([entries]);
    const manifest = [{ Config: 'c.json', RepoTags: ['a:1'], Layers: ['l.tar'] }];
    change(manifest);
    const archive = await tarOf([
      { name: 'c.json', data: image.config },
      { name: 'l.tar', data: image.layers[0] ?? '' },
      { name: 'manifest.json', data: JSON.stringify(manifest) },
    ]);
    await expect(read(archive)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(message),
    });
  });
});
