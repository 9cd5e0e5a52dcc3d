import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isOnPath } from '../storage/on-path.ts';
import { Spool } from './blobs.ts';
import { digestOf } from './digest.ts';
import { dockerArchive, type FixtureImage, imageOf, ociArchive } from './image-fixture.ts';
import { plainLayer } from './plain-layer.ts';
import { readArchive } from './read-archive.ts';
import { piecesOf } from './tar-fixture.ts';

let folder: string;
let spool: Spool;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hull-plain-layer-'));
  spool = new Spool(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Compress = (data: Buffer) => Buffer;

const archives: readonly (readonly [
  name: string,
  make: (image: FixtureImage, compress: Compress) => Promise<Buffer>,
])[] = [
  [
    'a docker-archive',
    (image, compress) => dockerArchive({ ...image, layers: image.layers.map(compress) }, 'team/name:v1'),
  ],
  ['an OCI layout', (image, compress) => ociArchive(image, 'team/name:v1', false, compress)],
];

describe.each(['bzip2', 'xz'])('layers by %s', async (program) => {
  const reason = (await isOnPath(program)) ? '' : ` (skipped: no program ${program})`;
  const compress: Compress = (input) => execFileSync(program, ['-c'], { input });

  test.skipIf(reason).each(archives)(`of %s are kept as plain ones${reason}`, async (_, make) => {
    const entries = [{ name: 'etc/motd', data: 'hello' }];
    const image = await imageOf([entries, [{ name: 'b' }], entries]);
    const [found] = await readArchive(piecesOf(await make(image, compress), 4096), spool);
    expect(found?.configBlob.digest).toBe(image.id);
    expect(found?.layers.map(({ digest }) => digest)).toEqual(image.layers.map((layer) => digestOf(layer)));
    for (const [index, { path }] of (found?.layers ?? []).entries())
      expect(await readFile(path)).toEqual(image.layers[index]);
  });

  test.skipIf(reason)(`a bomb, and one cut short, are errors that leave no file${reason}`, async () => {
    const bomb = compress(Buffer.alloc(20_000_000));
    expect(bomb.length).toBeLessThan(20_000);
    const rows = [
      [bomb, 'found more than 10000000 bytes, wanted fewer'],
      [bomb.subarray(0, -10), `found damaged ${program} data`],
    ] as const;
    for (const [data, message] of rows) {
      const blob = await spool.write(piecesOf(data, 4096));
      const limit = message.includes('damaged') ? undefined : 10_000_000;
      await expect(plainLayer(blob, spool, ['none'], limit)).rejects.toMatchObject({
        kind: 'invalid',
        message: expect.stringContaining(message),
      });
      expect(await readdir(folder)).toEqual([blob.path.slice(folder.length + 1)]);
      await rm(blob.path);
    }
  });
});

test.each([
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const)('layers by %s stay as they are where they may', async (name, compress) => {
  const data = Buffer.from('plain bytes');
  const blob = await spool.write(piecesOf(compress(data), 5));
  expect(await plainLayer(blob, spool, ['none', name])).toBe(blob);
  expect((await plainLayer(blob, spool)).digest).toBe(digestOf(data));
});
