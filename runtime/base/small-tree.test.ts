import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { isSmallTree } from './small-tree.ts';

it.each([
  ['a few files', 3, 100, true],
  ['many files', 30, 1, false],
  ['a large file', 1, 100_000, false],
])('%s', async (_, files, bytes, small) => {
  const folder = await mkdtemp(join(tmpdir(), 'hull-small-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'below'));
  for (let i = 0; i < files; i++) {
    await writeFile(
      Buffer.concat([Buffer.from(join(folder, 'below', `${i}`)), Buffer.from([0xff])]),
      'x'.repeat(bytes),
    );
  }
  expect(isSmallTree(folder)).toBe(small);
});
