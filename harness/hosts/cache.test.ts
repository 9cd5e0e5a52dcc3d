import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildFolder, cacheKey, defaultCacheDir, readCached, writeCached } from './cache.ts';
import { pruneCache } from './qemu/prune.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'seatrial-cache-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

it('is where SEATRIAL_CACHE says, else under the user’s cache folder', () => {
  expect(defaultCacheDir({ SEATRIAL_CACHE: '/c', XDG_CACHE_HOME: '/x' })).toBe('/c');
  expect(defaultCacheDir({ XDG_CACHE_HOME: '/x' })).toBe('/x/seatrial');
});

it('gives equal things the same key and different ones another', () => {
  expect(cacheKey(['a', { b: 1 }])).toBe(cacheKey(['a', { b: 1 }]));
  expect(cacheKey(['a'])).not.toBe(cacheKey(['b']));
});

it('has a folder whole or not at all', async () => {
  const path = join(folder, 'images', 'one');
  const failing = buildFolder(path, async (temporary) => {
    await writeFile(join(temporary, 'half'), '');
    throw new Error('interrupted');
  });
  await expect(failing).rejects.toThrow('interrupted');
  expect(await readdir(join(folder, 'images'))).toEqual([]);
  await mkdir(`${path}.tmp/left by a kill`, { recursive: true });
  await buildFolder(path, (temporary) => writeFile(join(temporary, 'file'), 'whole'));
  expect(await readdir(path)).toEqual(['file']);
  expect(await readFile(join(path, 'file'), 'utf8')).toBe('whole');
});

it('takes a damaged entry for none', async () => {
  const path = join(folder, 'deep', 'entry.json');
  await writeCached(path, { a: 1 });
  expect(await readCached(path)).toEqual({ a: 1 });
  await writeFile(path, '{"a":');
  expect(await readCached(path)).toBeUndefined();
});

it('prunes a host’s folders that were not used for a day, but for the newest two, and no other host’s', async () => {
  const now = Date.now();
  const make = async (name: string, daysAgo: number) => {
    const path = join(folder, 'images', name);
    await mkdir(path, { recursive: true });
    const then = new Date(now - daysAgo * 86_400_000);
    await utimes(path, then, then);
    return path;
  };
  const key = (digit: string) => digit.repeat(16);
  const kept = await Promise.all([
    make(`debian-1-${key('a')}`, 5),
    make(`debian-1-${key('b')}`, 3),
    make(`debian-1-2-${key('c')}`, 9),
    make(`debian-1-${key('d')}.tmp`, 9),
  ]);
  const old = await make(`debian-1-${key('e')}`, 8);
  expect(await pruneCache(folder, 'debian-1', () => {}, now)).toEqual([old]);
  expect(kept.every((path) => existsSync(path))).toBe(true);
});
