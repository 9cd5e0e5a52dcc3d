import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FixtureEntry, headerOf, paxOf, piecesOf, tarOf } from './tar-fixture.ts';
import { type UntarLimits, untar } from './untar.ts';

let outside: string;
let root: string;

beforeEach(async () => {
  outside = await mkdtemp(join(tmpdir(), 'hull-untar-'));
  root = join(outside, 'root');
  await mkdir(root);
  await writeFile(join(outside, 'secret'), 'untouched');
  await mkdir(join(outside, 'folder'));
});

afterEach(() => rm(outside, { recursive: true, force: true }));

const apply = async (entries: readonly FixtureEntry[], limits?: UntarLimits) =>
  untar(piecesOf(await tarOf(entries)), root, limits);

const text = (path: string) => readFile(join(root, path), 'utf8');

/** All paths in the root, folders with a slash. */
async function tree(folder = root, prefix = ''): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const lines = entries.map(async (entry) =>
    entry.isDirectory()
      ? [`${prefix}${entry.name}/`, ...(await tree(join(folder, entry.name), `${prefix}${entry.name}/`))]
      : [prefix + entry.name],
  );
  return (await Promise.all(lines)).flat().sort();
}

async function expectOutsideUntouched(): Promise<void> {
  expect(await readdir(outside)).toEqual(['folder', 'root', 'secret']);
  expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('untouched');
  expect((await lstat(join(outside, 'secret'))).nlink).toBe(1);
  expect(await readdir(join(outside, 'folder'))).toEqual([]);
}

describe('untar', () => {
  test('makes files, folders, links and fifos with modes and times', async () => {
    const result = await apply([
      paxOf({ mtime: '1700000000.123456789' }),
      { name: 'dir/', type: 'directory', mode: 0o2750 },
      { name: './dir/file', mode: 0o4755, data: 'content', mtime: new Date(1_600_000_000_000) },
      { name: 'dir/hard', type: 'link', linkname: 'dir/file' },
      { name: 'dir/soft', type: 'symlink', linkname: '../nowhere' },
      { name: 'implied/below/file', data: 'x'.repeat(200_000) },
    ]);
    expect(result).toEqual({ bytes: 200_007, entries: 5, warnings: [] });
    expect(await tree()).toEqual([
      'dir/',
      'dir/file',
      'dir/hard',
      'dir/soft',
      'implied/',
      'implied/below/',
      'implied/below/file',
    ]);
    const [dir, file, hard] = await Promise.all(
      ['dir', 'dir/file', 'dir/hard'].map((path) => lstat(join(root, path), { bigint: true })),
    );
    expect(dir?.mode.toString(8)).toBe('42750');
    expect(dir?.mtimeNs).toBe(1_700_000_000_123_456_789n);
    expect(file?.mode.toString(8)).toBe('104755');
    expect(file?.mtimeMs).toBe(1_600_000_000_000n);
    expect(hard?.ino).toBe(file?.ino);
    expect(await readlink(join(root, 'dir/soft'))).toBe('../nowhere');
    expect(await text('implied/below/file')).toBe('x'.repeat(200_000));
  });

  test('keeps names that are not UTF-8', async () => {
    await apply([paxOf({ path: Buffer.from([0x61, 0xff]) }), { name: 'x', data: 'bytes' }]);
    const names = await readdir(root, 'buffer');
    expect(names.map((name) => name.toString('hex'))).toEqual(['61ff']);
  });

  test('a later layer replaces: file by folder, folder by file, link by folder, and merges folders', async () => {
    await apply([
      { name: 'a', data: 'file' },
      { name: 'b/inner', data: 'below' },
      { name: 'c', type: 'symlink', linkname: 'b' },
      { name: 'd/old', data: 'old' },
    ]);
    await apply([{ name: 'a/new', data: 'in a' }]).then(
      () => expect.fail('a file is no folder'),
      (error) => expect(error.kind).toBe('invalid'),
    );
    await apply([
      { name: 'a/', type: 'directory' },
      { name: 'a/new', data: 'in a' },
      { name: 'b', data: 'file now' },
      { name: 'c/', type: 'directory' },
      { name: 'd/', type: 'directory', mode: 0o700 },
      { name: 'd/new', data: 'new' },
    ]);
    expect(await tree()).toEqual(['a/', 'a/new', 'b', 'c/', 'd/', 'd/new', 'd/old']);
    expect((await lstat(join(root, 'd'))).mode & 0o777).toBe(0o700);
  });

  test('the later of two entries with one name holds', async () => {
    await apply([
      { name: 'a', data: 'first' },
      { name: 'keep', type: 'link', linkname: 'a' },
      { name: 'a', data: 'second' },
    ]);
    expect(await text('a')).toBe('second');
    expect(await text('keep')).toBe('first');
  });

  test('whiteouts remove what is below and spare what the layer brings', async () => {
    await apply([
      { name: 'gone', data: '' },
      { name: 'tree/a/b', data: '' },
      { name: 'tree/c', data: '' },
      { name: 'replaced', data: 'old' },
      { name: 'stays', data: '' },
    ]);
    await apply([
      { name: '.wh.gone' },
      { name: '.wh.tree' },
      { name: 'replaced', data: 'new' },
      { name: '.wh.replaced' },
      { name: '.wh.never-was' },
      { name: '.wh..wh.plnk/', type: 'directory' },
      { name: '.wh..wh.plnk/5.7', data: 'aufs' },
    ]);
    expect(await tree()).toEqual(['replaced', 'stays']);
    expect(await text('replaced')).toBe('new');
  });

  test.each(['before', 'after'])(
    'an opaque mark hides only what is below, coming %s the content',
    async (place) => {
      await apply([
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
      await apply(place === 'before' ? [mark, ...content] : [...content, mark]);
      expect(await tree()).toEqual(['dir/', 'dir/new', 'dir/same', 'dir/sub/', 'dir/sub/new', 'other']);
      expect(await text('dir/same')).toBe('new');
    },
  );

  test('an entry for the root sets its attributes', async () => {
    await apply([{ name: './', type: 'directory', mode: 0o711, mtime: new Date(5000) }]);
    const stat = await lstat(root);
    expect(stat.mode & 0o7777).toBe(0o711);
    expect(stat.mtimeMs).toBe(5000);
    await chmod(root, 0o755);
  });
});

describe('untar keeps hostile names inside the root', () => {
  const absolute = () => join(outside, 'folder');

  test.each<[string, () => FixtureEntry[], string[]]>([
    ['an absolute name', () => [{ name: '/etc/file', data: 'x' }], ['etc/', 'etc/file']],
    ['dots that stay inside', () => [{ name: 'a/../b/./c', data: 'x' }], ['b/', 'b/c']],
    [
      'a folder that is an absolute link',
      () => [
        { name: 'out', type: 'symlink', linkname: '/elsewhere' },
        { name: 'out/file', data: 'x' },
      ],
      ['elsewhere/', 'elsewhere/file', 'out'],
    ],
    [
      'a folder that is a climbing link',
      () => [
        { name: 'out', type: 'symlink', linkname: '../../folder' },
        { name: 'out/file', data: 'x' },
      ],
      ['folder/', 'folder/file', 'out'],
    ],
    [
      'a chain of links',
      () => [
        { name: 'a', type: 'symlink', linkname: '/b/c' },
        { name: 'b', type: 'symlink', linkname: '../..' },
        { name: 'a/file', data: 'x' },
      ],
      ['a', 'b', 'c/', 'c/file'],
    ],
    [
      'a folder that turns into a link between two entries',
      () => [
        { name: 'dir/file', data: 'x' },
        { name: 'dir', type: 'symlink', linkname: '/folder' },
        { name: 'dir/file', data: 'y' },
      ],
      ['dir', 'folder/', 'folder/file'],
    ],
    [
      'a file written through a link of its name',
      () => [
        { name: 'file', type: 'symlink', linkname: join(outside, 'secret') },
        { name: 'file', data: 'x' },
      ],
      ['file'],
    ],
    [
      'a hard link to a link, with a mode',
      () => [
        { name: 'soft', type: 'symlink', linkname: join(outside, 'secret') },
        { name: 'hard', type: 'link', linkname: 'soft', mode: 0o777 },
        { name: 'hard', data: 'x' },
      ],
      ['hard', 'soft'],
    ],
    [
      'a whiteout through a link',
      () => [{ name: 'out', type: 'symlink', linkname: absolute() }, { name: 'out/../.wh.secret' }],
      ['out'],
    ],
  ])('%s', async (_, entries, result) => {
    await apply(entries());
    expect(await tree()).toEqual(result);
    await expectOutsideUntouched();
  });

  test('whiteouts and opaque marks do not follow links out of the root', async () => {
    await symlink('..', join(root, 'up'));
    await symlink(absolute(), join(root, 'out'));
    await apply([{ name: 'up/.wh.secret' }, { name: 'up/.wh.folder' }, { name: 'up/.wh..wh..opq' }]);
    await apply([{ name: 'out/.wh..wh..opq' }]);
    await expectOutsideUntouched();
  });
});

describe('untar refuses', () => {
  test.each<[string, FixtureEntry[], string, RegExp]>([
    [
      'a name that climbs out',
      [{ name: '../evil', data: 'x' }],
      'invalid',
      /entry: found "\.\.\/evil", wanted a name inside/,
    ],
    ['a name that climbs out later', [{ name: 'a/../../evil' }], 'invalid', /wanted a name inside the root/],
    [
      'a link target that climbs out',
      [{ name: 'a', type: 'link', linkname: '../secret' }],
      'invalid',
      /target of link "a"/,
    ],
    [
      'a hard link through a link to a file outside',
      [
        { name: 'up', type: 'symlink', linkname: '..' },
        { name: 'a', type: 'link', linkname: 'up/secret' },
      ],
      'invalid',
      /link "a": found nothing at its target "up\/secret"/,
    ],
    [
      'a hard link to nothing',
      [{ name: 'a', type: 'link', linkname: 'b' }],
      'invalid',
      /found nothing at its target/,
    ],
    [
      'a hard link to a folder',
      [
        { name: 'd/', type: 'directory' },
        { name: 'a', type: 'link', linkname: 'd' },
      ],
      'invalid',
      /found a folder/,
    ],
    ['a file in place of the root', [{ name: '.', data: 'x' }], 'invalid', /in place of the root/],
    [
      'links in a circle',
      [{ name: 'a', type: 'symlink', linkname: 'a' }, { name: 'a/b' }],
      'invalid',
      /more than 40 links/,
    ],
    ['an empty link', [headerOf({ name: 'a', flag: '2' })], 'invalid', /link target ""/],
    ['a whiteout of nothing', [{ name: 'd/.wh.' }], 'invalid', /whiteout of ""/],
    ['a whiteout of the folder', [{ name: 'd/.wh..' }], 'invalid', /whiteout of "\."/],
    ['a whiteout of the folder above', [{ name: 'd/.wh...' }], 'invalid', /whiteout of "\.\."/],
    ['a whiteout in the place of a folder', [{ name: '.wh.d/file' }], 'invalid', /place of a folder/],
    ['a name with NUL', [paxOf({ path: 'a\0b' }), { name: 'x' }], 'invalid', /without NUL/],
    ['a part of 256 bytes', [{ name: `a/${'n'.repeat(256)}` }], 'invalid', /at most 4096, and 255/],
    ['an owner beyond 32 bits', [paxOf({ uid: '4294967295' }), { name: 'a' }], 'invalid', /uid 4294967295/],
    ['a negative owner', [paxOf({ gid: '-1' }), { name: 'a' }], 'invalid', /gid -1/],
    [
      "a device number beyond the kernel's",
      [paxOf({}), { name: 'a', type: 'block-device', devmajor: 5000, devminor: 0 }],
      'invalid',
      /device 5000:0/,
    ],
    [
      'a device that is a whiteout',
      [{ name: 'a', type: 'character-device', devmajor: 0, devminor: 0 }],
      'invalid',
      /whiteout/,
    ],
    [
      'an attribute of overlay',
      [paxOf({ 'SCHILY.xattr.trusted.overlay.opaque': 'y' }), { name: 'a' }],
      'invalid',
      /trusted\.overlay\.opaque/,
    ],
    [
      'an attribute of no namespace',
      [paxOf({ 'SCHILY.xattr.plain': 'y' }), { name: 'a' }],
      'invalid',
      /"plain"/,
    ],
  ])('%s', async (_, entries, kind, message) => {
    await expect(apply(entries)).rejects.toMatchObject({ kind, message: expect.stringMatching(message) });
    await expectOutsideUntouched();
  });

  test('more content or entries than the limits, before it is written', async () => {
    await expect(
      apply([{ name: 'a', data: 'x'.repeat(600) }], { bytes: 500, entries: 9 }),
    ).rejects.toMatchObject({
      kind: 'invalid',
      message: 'Cannot unpack file "a": found 600 bytes of content up to here, wanted at most 500',
    });
    await expect(apply([{ name: 'a' }, { name: 'b' }], { bytes: 500, entries: 1 })).rejects.toThrow(
      /more than 1 entries/,
    );
    expect(await tree()).toEqual(['a']);
  });
});
