import { chmod, lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FixtureEntry, paxOf } from './tar-fixture.ts';
import { UntarPlace } from './untar-suite.ts';

const place = UntarPlace.forEach();
const text = (path: string) => readFile(join(place.root, path), 'utf8');

describe('untar', () => {
  test('makes files, folders, links and fifos with modes and times', async () => {
    const result = await place.apply([
      paxOf({ mtime: '1700000000.123456789' }),
      { name: 'dir/', type: 'directory', mode: 0o2750 },
      { name: './dir/file', mode: 0o4755, data: 'content', mtime: new Date(1_600_000_000_000) },
      { name: 'dir/hard', type: 'link', linkname: 'dir/file' },
      { name: 'dir/soft', type: 'symlink', linkname: '../nowhere' },
      { name: 'implied/below/file', data: 'x'.repeat(200_000) },
    ]);
    expect(result).toEqual({ bytes: 200_007, entries: 5, warnings: [] });
    expect(await place.tree()).toEqual([
      'dir/',
      'dir/file',
      'dir/hard',
      'dir/soft',
      'implied/',
      'implied/below/',
      'implied/below/file',
    ]);
    const [dir, file, hard] = await Promise.all(
      ['dir', 'dir/file', 'dir/hard'].map((path) => lstat(join(place.root, path), { bigint: true })),
    );
    expect(dir?.mode.toString(8)).toBe('42750');
    expect(dir?.mtimeNs).toBe(1_700_000_000_123_456_789n);
    expect(file?.mode.toString(8)).toBe('104755');
    expect(file?.mtimeMs).toBe(1_600_000_000_000n);
    expect(hard?.ino).toBe(file?.ino);
    expect(await readlink(join(place.root, 'dir/soft'))).toBe('../nowhere');
    expect(await text('implied/below/file')).toBe('x'.repeat(200_000));
  });

  test('keeps names that are not UTF-8', async () => {
    await place.apply([paxOf({ path: Buffer.from([0x61, 0xff]) }), { name: 'x', data: 'bytes' }]);
    const names = await readdir(place.root, 'buffer');
    expect(names.map((name) => name.toString('hex'))).toEqual(['61ff']);
  });

  test('a later layer replaces: file by folder, folder by file, link by folder, and merges folders', async () => {
    await place.apply([
      { name: 'a', data: 'file' },
      { name: 'b/inner', data: 'below' },
      { name: 'c', type: 'symlink', linkname: 'b' },
      { name: 'd/old', data: 'old' },
    ]);
    await place.apply([{ name: 'a/new', data: 'in a' }]).then(
      () => expect.fail('a file is no folder'),
      (error) => expect(error.kind).toBe('invalid'),
    );
    await place.apply([
      { name: 'a/', type: 'directory' },
      { name: 'a/new', data: 'in a' },
      { name: 'b', data: 'file now' },
      { name: 'c/', type: 'directory' },
      { name: 'd/', type: 'directory', mode: 0o700 },
      { name: 'd/new', data: 'new' },
    ]);
    expect(await place.tree()).toEqual(['a/', 'a/new', 'b', 'c/', 'd/', 'd/new', 'd/old']);
    expect((await lstat(join(place.root, 'd'))).mode & 0o777).toBe(0o700);
  });

  test('the later of two entries with one name holds', async () => {
    await place.apply([
      { name: 'a', data: 'first' },
      { name: 'keep', type: 'link', linkname: 'a' },
      { name: 'a', data: 'second' },
    ]);
    expect(await text('a')).toBe('second');
    expect(await text('keep')).toBe('first');
  });

  test('whiteouts remove what is below and spare what the layer brings', async () => {
    await place.apply([
      { name: 'gone', data: '' },
      { name: 'tree/a/b', data: '' },
      { name: 'tree/c', data: '' },
      { name: 'replaced', data: 'old' },
      { name: 'stays', data: '' },
    ]);
    await place.apply([
      { name: '.wh.gone' },
      { name: '.wh.tree' },
      { name: 'replaced', data: 'new' },
      { name: '.wh.replaced' },
      { name: '.wh.never-was' },
      { name: '.wh..wh.plnk/', type: 'directory' },
      { name: '.wh..wh.plnk/5.7', data: 'aufs' },
    ]);
    expect(await place.tree()).toEqual(['replaced', 'stays']);
    expect(await text('replaced')).toBe('new');
  });

  test.each(['before', 'after'])(
    'an opaque mark hides only what is below, coming %s the content',
    async (order) => {
      await place.apply([
        { name: 'dir/old', data: '' },
        { name: 'dir/sub/old', data: '' },
        { name: 'dir/same', data: 'old' },
        { name: 'other', data: '' },
      ]);
      const mark: FixtureEntry = { name: 'dir/.wh..wh..opq' };
      const content: FixtureEntry[] = [
        { name: 'dir/new', data: '' },
        { name: 'dir/sub/new', data: '' },
        { name: 'dir/same', data: 'new' },
      ];
      await place.apply(order === 'before' ? [mark, ...content] : [...content, mark]);
      expect(await place.tree()).toEqual(['dir/', 'dir/new', 'dir/same', 'dir/sub/', 'dir/sub/new', 'other']);
      expect(await text('dir/same')).toBe('new');
    },
  );

  test('an entry for the root sets its attributes', async () => {
    await place.apply([{ name: './', type: 'directory', mode: 0o711, mtime: new Date(5000) }]);
    const stat = await lstat(place.root);
    expect(stat.mode & 0o7777).toBe(0o711);
    expect(stat.mtimeMs).toBe(5000);
    await chmod(place.root, 0o755);
  });
});
