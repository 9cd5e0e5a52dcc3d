import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readJson, removeTemporaries, writeFileAtomic, writeJsonAtomic } from './atomic-file.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atomic-file-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('writeFileAtomic', () => {
  it('replaces the whole file and leaves nothing beside it', async () => {
    const path = join(dir, 'state.json');
    await writeFileAtomic(path, 'long old content');
    await writeFileAtomic(path, 'new', { mode: 0o640 });
    expect(await readFile(path, 'utf8')).toBe('new');
    expect((await stat(path)).mode & 0o777).toBe(0o640);
    expect(await readdir(dir)).toEqual(['state.json']);
  });

  it('keeps the old file and removes its own when it cannot replace it', async () => {
    const target = join(dir, 'folder');
    await writeFile(join(dir, 'other'), 'kept');
    await mkdir(join(target, 'full'), { recursive: true });
    await expect(writeFileAtomic(target, 'x')).rejects.toMatchObject({ code: 'EISDIR' });
    expect((await readdir(dir)).sort()).toEqual(['folder', 'other']);
  });
});

describe('removeTemporaries', () => {
  it('removes what an interrupted write has left, and nothing else', async () => {
    for (const name of ['.state.json.0123456789ab.tmp', 'state.json', '.hidden', 'a.tmp']) {
      await writeFile(join(dir, name), '');
    }
    expect(await removeTemporaries(dir)).toEqual(['.state.json.0123456789ab.tmp']);
    expect((await readdir(dir)).sort()).toEqual(['.hidden', 'a.tmp', 'state.json']);
  });
});

describe('readJson', () => {
  it('reads what writeJsonAtomic wrote, and undefined where nothing is', async () => {
    await writeJsonAtomic(join(dir, 'a.json'), { a: 1 }, { durable: false });
    expect(await readJson(join(dir, 'a.json'))).toEqual({ a: 1 });
    expect(await readJson(join(dir, 'b.json'))).toBeUndefined();
  });

  it.each([
    ['', 'an empty file'],
    ['{"a":', '5 characters that do not parse'],
  ])('names a damaged file: %j', async (content, found) => {
    const path = join(dir, 'damaged.json');
    await writeFile(path, content);
    await expect(readJson(path)).rejects.toMatchObject({
      kind: 'invalid',
      message: `Cannot read "${path}": found ${found}, wanted JSON`,
    });
  });
});
