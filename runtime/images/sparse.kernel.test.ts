import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { untar } from './untar.ts';

const size = 8_000_000;

describe('sparse files of GNU tar', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hull-sparse-'));
    for (const name of ['tree', 'copy']) await mkdir(join(folder, name));
    await using file = await open(join(folder, 'tree/file'), 'w');
    // More fragments than a header, or one block of a map, has room for.
    for (let at = 65_536; at < size; at += 200_000) await file.write(Buffer.alloc(5000, 'x'), 0, 5000, at);
    await file.truncate(size);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test.each([
    ['--format=gnu'],
    ['--format=pax', '--sparse-version=0.0'],
    ['--format=pax', '--sparse-version=0.1'],
    ['--format=pax', '--sparse-version=1.0'],
  ])('%s %s: the same bytes come out, the holes as holes', async (...options) => {
    const archive = join(folder, 'archive.tar');
    const words = ['--sparse', '--hole-detection=raw', ...options.filter(Boolean)];
    execFileSync('tar', ['-c', ...words, '-f', archive, '-C', join(folder, 'tree'), 'file']);
    expect((await stat(archive)).size).toBeLessThan(size / 4);
    const { bytes } = await untar(createReadStream(archive), join(folder, 'copy'));
    expect(bytes).toBe(size);
    const copy = join(folder, 'copy/file');
    expect((await readFile(copy)).equals(await readFile(join(folder, 'tree/file')))).toBe(true);
    expect((await stat(copy)).blocks * 512).toBeLessThan(size / 2);
  });

  test('a hole larger than what an archive may hold is refused', async () => {
    const archive = join(folder, 'archive.tar');
    await using file = await open(join(folder, 'tree/huge'), 'w');
    await file.truncate(2 ** 40);
    execFileSync('tar', ['-c', '--sparse', '-f', archive, '-C', join(folder, 'tree'), 'huge']);
    await expect(untar(createReadStream(archive), join(folder, 'copy'))).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('wanted at most'),
    });
  });
});
