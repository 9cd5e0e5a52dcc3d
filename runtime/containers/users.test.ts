import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readInRoot } from './read-in-root.ts';
import { addGroups, resolveUser } from './users.ts';

const files = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nsailor:x:1000:100::/home/sailor:/bin/sh\n\n# comment\n',
  group: 'root:x:0:\nwheel:x:10:root\nusers:x:100:\ncrew:x:500:sailor,root\n',
};

describe('resolveUser', () => {
  test.each([
    ['', { uid: 0, gid: 0, additionalGids: [10, 500], home: '/root' }],
    ['sailor', { uid: 1000, gid: 100, additionalGids: [500], home: '/home/sailor' }],
    ['1000', { uid: 1000, gid: 100, additionalGids: [500], home: '/home/sailor' }],
    ['sailor:crew', { uid: 1000, gid: 500, additionalGids: [], home: '/home/sailor' }],
    ['sailor:7', { uid: 1000, gid: 7, additionalGids: [], home: '/home/sailor' }],
    ['4242', { uid: 4242, gid: 0, additionalGids: [], home: '/' }],
    ['4242:4343', { uid: 4242, gid: 4343, additionalGids: [], home: '/' }],
  ])('%j', (user, wanted) => {
    expect(resolveUser(user, files)).toEqual(wanted);
  });

  test.each(['nobody', 'sailor:nobody', '4294967296', 'sailor:99999999999'])('%j is refused', (user) => {
    expect(() => resolveUser(user, files)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });

  test('added groups are names or numbers, each once', () => {
    const user = addGroups(resolveUser('sailor', files), ['crew', 'wheel', '77'], files);
    expect(user.additionalGids).toEqual([500, 10, 77]);
  });
});

describe('readInRoot', () => {
  let folder: string;
  let root: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hull-root-'));
    root = join(folder, 'root');
    await mkdir(join(root, 'etc'), { recursive: true });
    await mkdir(join(root, 'usr/share'), { recursive: true });
    await writeFile(join(folder, 'secret'), 'of the host');
    await writeFile(join(root, 'usr/share/passwd'), 'inside');
  });
  afterEach(async () => await rm(folder, { recursive: true }));

  test.each([
    ['/usr/share/passwd', 'inside'],
    ['../../usr/share/passwd', 'inside'],
    ['/usr/../usr/./share/passwd', 'inside'],
    ['../secret', ''],
    ['/usr/share/../../../secret', ''],
  ])('a link to %s reads %j', async (target, text) => {
    await symlink(target, join(root, 'etc/passwd'));
    expect(await readInRoot(root, '/etc/passwd')).toBe(text);
  });

  test('a folder that is a link out of the root stays inside', async () => {
    await rm(join(root, 'etc'), { recursive: true });
    await symlink(folder, join(root, 'etc'));
    expect(await readInRoot(root, '/etc/secret')).toBe('');
    await rm(join(root, 'etc'));
    await symlink('/usr/share', join(root, 'etc'));
    expect(await readInRoot(root, '/etc/passwd')).toBe('inside');
  });

  test('missing, a folder, and a loop of links read as nothing', async () => {
    expect(await readInRoot(root, '/etc/passwd')).toBe('');
    await mkdir(join(root, 'etc/group'));
    expect(await readInRoot(root, '/etc/group')).toBe('');
    await symlink('b', join(root, 'etc/a'));
    await symlink('a', join(root, 'etc/b'));
    expect(await readInRoot(root, '/etc/a')).toBe('');
  });
});
