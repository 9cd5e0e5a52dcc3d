import { lstat, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FixtureEntry, headerOf, paxOf } from './tar-fixture.ts';
import { UntarPlace } from './untar-suite.ts';

const place = UntarPlace.forEach();

async function expectOutsideUntouched(): Promise<void> {
  expect(await readdir(place.outside)).toEqual(['folder', 'root', 'secret']);
  expect(await readFile(join(place.outside, 'secret'), 'utf8')).toBe('untouched');
  expect((await lstat(join(place.outside, 'secret'))).nlink).toBe(1);
  expect(await readdir(join(place.outside, 'folder'))).toEqual([]);
}

describe('untar keeps hostile names inside the root', () => {
  const absolute = () => join(place.outside, 'folder');

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
        { name: 'file', type: 'symlink', linkname: join(place.outside, 'secret') },
        { name: 'file', data: 'x' },
      ],
      ['file'],
    ],
    [
      'a hard link to a link, with a mode',
      () => [
        { name: 'soft', type: 'symlink', linkname: join(place.outside, 'secret') },
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
    await place.apply(entries());
    expect(await place.tree()).toEqual(result);
    await expectOutsideUntouched();
  });

  test('whiteouts and opaque marks do not follow links out of the root', async () => {
    await symlink('..', join(place.root, 'up'));
    await symlink(absolute(), join(place.root, 'out'));
    await place.apply([{ name: 'up/.wh.secret' }, { name: 'up/.wh.folder' }, { name: 'up/.wh..wh..opq' }]);
    await place.apply([{ name: 'out/.wh..wh..opq' }]);
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
    await expect(place.apply(entries)).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(message),
    });
    await expectOutsideUntouched();
  });

  test('more content or entries than the limits, before it is written', async () => {
    await expect(
      place.apply([{ name: 'a', data: 'x'.repeat(600) }], { bytes: 500, entries: 9 }),
    ).rejects.toMatchObject({
      kind: 'invalid',
      message: 'Cannot unpack file "a": found 600 bytes of content up to here, wanted at most 500',
    });
    await expect(place.apply([{ name: 'a' }, { name: 'b' }], { bytes: 500, entries: 1 })).rejects.toThrow(
      /more than 1 entries/,
    );
    expect(await place.tree()).toEqual(['a']);
  });
});
