import {
  chmod,
  chown,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { mknod } from '../sys/mknod.ts';
import { getXattr, setXattr } from '../sys/xattr.ts';
import type { Subject } from './conformance.ts';

/** The part of the suite that looks at trees: what is in a layer, its parent and its children. */
export function describeContents({ driver, chain, longestName, layer, see, test }: Subject): void {
  test('an empty layer is a root folder 0755 0:0 with nothing in it', async () => {
    await layer('empty');
    await see('empty', async (root) => {
      const { uid, gid, mode } = await lstat(`${root}/.`);
      expect({ uid, gid, mode: mode & 0o7777 }).toEqual({ uid: 0, gid: 0, mode: 0o755 });
      expect(await readdir(root)).toEqual([]);
    });
  });

  test('a child starts as its parent', async () => {
    await layer('parent', undefined, plantTree);
    const parent = await see('parent', describeTree);
    await layer('child', 'parent');
    expect(await see('child', describeTree)).toEqual(parent);
    await layer('grandchild', 'child');
    expect(await see('grandchild', describeTree)).toEqual(parent);
  });

  test('a parent stays as it was, whatever its child does', async () => {
    await layer('calm', undefined, plantTree);
    const before = await see('calm', describeTree);
    await layer('wild', 'calm', async (root) => {
      await writeFile(join(root, 'file'), 'changed');
      await chmod(join(root, 'folder'), 0o700);
      await lchown(join(root, 'link'), 5, 5);
      await unlink(join(root, 'setuid'));
      await rm(join(root, 'folder', 'deep'), { recursive: true });
      await writeFile(join(root, 'folder', 'new'), 'new');
      await rename(join(root, 'sticky', 'inner'), join(root, 'moved'));
      setXattr(join(root, 'file'), 'user.mark', Buffer.from('wild'));
    });
    expect(await see('calm', describeTree)).toEqual(before);
  });

  test('siblings do not see each other', async () => {
    await layer('shared', undefined, (root) => writeFile(join(root, 'file'), 'shared'));
    await layer('left', 'shared', (root) => writeFile(join(root, 'file'), 'left'));
    await layer('right', 'shared', (root) => unlink(join(root, 'file')));
    expect(await see('left', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('left');
    expect(await see('right', (root) => readdir(root))).toEqual([]);
    expect(await see('shared', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('shared');
  });

  test(`a chain of ${chain} layers reads right at the top`, async () => {
    for (let at = 0; at < chain; at++) {
      await layer(`deep-${at}`, at === 0 ? undefined : `deep-${at - 1}`, async (root) => {
        await writeFile(join(root, 'same'), `from ${at}`);
        await writeFile(join(root, `own-${at}`), String(at));
        // Every layer takes away the file of the one three below.
        if (at >= 3) await unlink(join(root, `own-${at - 3}`));
      });
    }
    const top = chain - 1;
    await see(`deep-${top}`, async (root) => {
      expect(await readFile(join(root, 'same'), 'utf8')).toBe(`from ${top}`);
      expect((await readdir(root)).sort()).toEqual(
        [top - 2, top - 1, top]
          .map((at) => `own-${at}`)
          .concat('same')
          .sort(),
      );
    });
  });

  test('the deepest chain that is promised can be mounted, and one more is refused at once', async () => {
    const { maxDepth } = driver().capabilities;
    if (maxDepth === undefined) return;
    for (let at = 1; at <= maxDepth; at++) await layer(`d${at}`, at === 1 ? undefined : `d${at - 1}`);
    await see(`d${maxDepth}`, (root) => writeFile(join(root, 'file'), 'x'));
    await expect(driver().create('too-deep', `d${maxDepth}`)).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('a deleted file stays deleted, and its name can become a folder, then a link', async () => {
    await layer('w1', undefined, (root) => writeFile(join(root, 'name'), 'file'));
    await layer('w2', 'w1', (root) => unlink(join(root, 'name')));
    await layer('w3', 'w2', (root) => mkdir(join(root, 'name')));
    await layer('w4', 'w3', async (root) => {
      await rm(join(root, 'name'), { recursive: true });
      await symlink('elsewhere', join(root, 'name'));
    });
    expect(await see('w2', (root) => readdir(root))).toEqual([]);
    expect((await see('w3', (root) => lstat(join(root, 'name')))).isDirectory()).toBe(true);
    expect(await see('w4', (root) => readlink(join(root, 'name')))).toBe('elsewhere');
    expect(await see('w1', (root) => readFile(join(root, 'name'), 'utf8'))).toBe('file');
  });

  test('a folder that was deleted and made again is empty', async () => {
    await layer('o1', undefined, async (root) => {
      await mkdir(join(root, 'folder', 'inner'), { recursive: true });
      await writeFile(join(root, 'folder', 'file'), 'old');
    });
    await layer('o2', 'o1', async (root) => {
      await rm(join(root, 'folder'), { recursive: true });
      await mkdir(join(root, 'folder'));
      await writeFile(join(root, 'folder', 'new'), 'new');
    });
    await layer('o3', 'o2');
    expect(await see('o3', (root) => readdir(join(root, 'folder')))).toEqual(['new']);
  });

  test('hard links stay one file', async () => {
    await layer('twins', undefined, async (root) => {
      await writeFile(join(root, 'a'), 'twin');
      await link(join(root, 'a'), join(root, 'b'));
    });
    await layer('twins-child', 'twins');
    for (const id of ['twins', 'twins-child']) {
      await see(id, async (root) => {
        const [a, b] = await Promise.all([lstat(join(root, 'a')), lstat(join(root, 'b'))]);
        expect({ same: a.ino === b.ino, links: a.nlink }).toEqual({ same: true, links: 2 });
      });
    }
  });

  test('extended attributes survive, capabilities among them', async () => {
    // VFS_CAP_REVISION_2 with the effective bit, CAP_NET_RAW permitted: capabilities(7), <linux/capability.h>.
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    const attributes: readonly (readonly [string, Buffer])[] = [
      ['user.note', Buffer.from('Ahoi')],
      ['trusted.note', Buffer.from([0, 1, 2, 255])],
      ['security.capability', capability],
    ];
    await layer('marked', undefined, async (root) => {
      await writeFile(join(root, 'file'), 'x');
      await mkdir(join(root, 'folder'));
      for (const [key, value] of attributes) setXattr(join(root, 'file'), key, value);
      setXattr(join(root, 'folder'), 'user.note', Buffer.from('folder'));
    });
    await layer('marked-child', 'marked', (root) => chmod(join(root, 'file'), 0o755));
    await see('marked-child', async (root) => {
      for (const [key, value] of attributes) expect(getXattr(join(root, 'file'), key)).toEqual(value);
      expect(getXattr(join(root, 'folder'), 'user.note')?.toString()).toBe('folder');
    });
  });

  test("the root folder's own mode, owner, times and attributes are inherited", async () => {
    await layer('root-of', undefined, async (root) => {
      setXattr(`${root}/.`, 'user.root', Buffer.from('mine'));
      await chown(`${root}/.`, 12, 34);
      await chmod(`${root}/.`, 0o1711);
      await utimes(`${root}/.`, 1_000_000, 1_000_000);
    });
    await layer('root-of-child', 'root-of');
    await see('root-of-child', async (root) => {
      const { uid, gid, mode, mtimeMs } = await lstat(`${root}/.`);
      expect({ uid, gid, mode: mode & 0o7777, mtimeMs }).toEqual({
        uid: 12,
        gid: 34,
        mode: 0o1711,
        mtimeMs: 1_000_000_000,
      });
      expect(getXattr(`${root}/.`, 'user.root')?.toString()).toBe('mine');
    });
  });

  test('a sparse file stays sparse', async () => {
    const size = 512 * 1024 ** 2;
    await layer('holes', undefined, async (root) => {
      const file = await open(join(root, 'sparse'), 'w');
      await file.write('tail', size - 4);
      await file.close();
    });
    await layer('holes-child', 'holes');
    const stat = await see('holes-child', (root) => lstat(join(root, 'sparse')));
    expect(stat.size).toBe(size);
    expect(stat.blocks * 512).toBeLessThan(1024 ** 2);
  });

  test('names are bytes', async () => {
    const names = [
      Buffer.from('with\nnewline'),
      Buffer.from('with:colon,comma\\backslash'),
      Buffer.from([0xff, 0xfe, 0x80]),
      Buffer.from('n'.repeat(longestName)),
      Buffer.from(' leading and trailing '),
      Buffer.from('-rf'),
    ];
    const put = async (root: string) => {
      for (const name of names) await writeFile(Buffer.concat([Buffer.from(`${root}/`), name]), name);
    };
    await layer('bytes', undefined, put);
    await layer('bytes-child', 'bytes');
    const found = await see('bytes-child', (root) => readdir(root, { encoding: 'buffer' }));
    expect(found.sort(Buffer.compare)).toEqual(names.sort(Buffer.compare));
    await layer('bytes-own', 'bytes-child', put);
  });

  test('a file grows in a child without touching the parent', async () => {
    const megabyte = Buffer.alloc(1024 ** 2, 'a');
    await layer('grow', undefined, (root) => writeFile(join(root, 'log'), megabyte));
    await layer('grown', 'grow', (root) => writeFile(join(root, 'log'), 'more', { flag: 'a' }));
    expect((await see('grown', (root) => lstat(join(root, 'log')))).size).toBe(1024 ** 2 + 4);
    expect((await see('grow', (root) => lstat(join(root, 'log')))).size).toBe(1024 ** 2);
  });
}

/** Every kind of file, mode and owner there is. */
async function plantTree(root: string): Promise<void> {
  const at = (name: string) => join(root, name);
  await writeFile(at('file'), 'content');
  await mkdir(at('folder/deep'), { recursive: true });
  await writeFile(at('folder/deep/file'), 'deep');
  await symlink('/absolute/and dangling', at('link'));
  mknod(at('fifo'), 'fifo', 0o640);
  mknod(at('socket'), 'socket', 0o600);
  mknod(at('null'), 'character', 0o666, { major: 1, minor: 3 });
  mknod(at('disk'), 'block', 0o660, { major: 7, minor: 200 });
  await writeFile(at('setuid'), 'suid');
  await chown(at('setuid'), 1000, 100_000);
  await chmod(at('setuid'), 0o6755);
  await mkdir(at('sticky'));
  await chown(at('sticky'), 4_000_000_000, 65_534);
  await chmod(at('sticky'), 0o1777);
  await writeFile(at('sticky/inner'), 'inner');
  await lchown(at('link'), 7, 8);
  await lutimes(at('link'), 12_345, 67_890);
  await utimes(at('file'), 1_234_567_890, 1_234_567_890.25);
  await utimes(at('sticky'), 1, 2);
}

/** One line for each file: type, mode, owner, device, links, size, times, target, content. */
async function describeTree(root: string, folder = ''): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const name of (await readdir(join(root, folder))).sort()) {
    const path = join(root, folder, name);
    const stat = await lstat(path);
    const words = [
      join(folder, name),
      stat.mode.toString(8),
      `${stat.uid}:${stat.gid}`,
      stat.isCharacterDevice() || stat.isBlockDevice() ? `rdev ${stat.rdev}` : '',
      stat.isDirectory() ? '' : `${stat.nlink} ${stat.size}`,
      String(stat.mtimeMs),
      stat.isSymbolicLink() ? await readlink(path) : '',
      stat.isFile() ? await readFile(path, 'utf8') : '',
    ];
    lines.push(words.join(' '));
    if (stat.isDirectory()) lines.push(...(await describeTree(root, join(folder, name))));
  }
  return lines;
}
