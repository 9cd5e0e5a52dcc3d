import { createHash } from 'node:crypto';
import {
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TreeFolder } from '../images/tar-writing/tree-folder.ts';
import { type FillSource, VolumeStore } from './volume-store.ts';

let folder: string;
let store: VolumeStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hull-volumes-'));
  store = await VolumeStore.open(join(folder, 'volumes'));
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

const wish = (name: string | undefined, more: object = {}) => ({
  name,
  driver: '',
  labels: {},
  options: {},
  ...more,
});
const digestOfFile = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
const unused = { users: () => [] };
const at = (name: string, file = '') => join(store.dataOf(name), file);
const from = (path: string) => async (): Promise<FillSource> => {
  const opened = TreeFolder.root(path);
  return { folder: opened, [Symbol.asyncDispose]: async () => opened[Symbol.dispose]() };
};

describe('volumes', () => {
  test('one is there, whole, until it is removed; another daemon finds the same', async () => {
    const made = await store.create(wish('data', { labels: { a: '1' } }));
    expect(made).toMatchObject({ name: 'data', isNew: true, mountPoint: at('data') });
    await writeFile(at('data', 'file'), 'x');
    expect(await store.create(wish('data', { labels: { b: '2' } }))).toMatchObject({
      isNew: false,
      labels: { a: '1' },
    });
    const next = await VolumeStore.open(store.root);
    expect(await next.list()).toEqual([await store.get('data')]);
    await next.remove('data', unused);
    expect(await readdir(store.root)).toEqual([]);
    await expect(store.get('data')).rejects.toMatchObject({
      kind: 'not-found',
      message: 'get data: no such volume',
    });
    await expect(store.remove('data', unused)).rejects.toMatchObject({ kind: 'not-found' });
    await store.create(wish('data'));
    expect(await readdir(at('data'))).toEqual([]);
  });

  test('one without a name gets one, and the mark of it', async () => {
    const { name, labels } = await store.create(wish(undefined));
    expect(name).toMatch(/^[0-9a-f]{64}$/);
    expect(labels).toEqual({ 'com.docker.volume.anonymous': '' });
  });

  test('one that is used stays, and its users are named', async () => {
    await store.create(wish('data'));
    await expect(store.remove('data', { users: () => ['c1', 'c2'] })).rejects.toMatchObject({
      kind: 'conflict',
      message: 'remove data: volume is in use - [c1, c2]',
    });
    expect(await store.removeUnused('data', { users: () => ['c1'] })).toBe(false);
    expect(await store.list()).toHaveLength(1);
  });

  test.each(['..', '.', 'a/b', '../data', '', '.trash-1'])(
    '%j is no volume and leads nowhere',
    async (name) => {
      await store.create(wish('data'));
      await expect(store.get(name)).rejects.toMatchObject({ kind: 'not-found' });
      await expect(store.remove(name, unused)).rejects.toMatchObject({ kind: 'not-found' });
      if (name !== '') await expect(store.create(wish(name))).rejects.toMatchObject({ kind: 'invalid' });
      expect(await store.list()).toHaveLength(1);
    },
  );

  test.each(['', '{"format":1', '{"format":1,"name":"other"}'])(
    'the damage %j costs the record only',
    async (text) => {
      await store.create(wish('data'));
      await writeFile(at('data', 'kept'), 'x');
      await writeFile(join(store.root, 'data', 'volume.json'), text);
      expect(await store.list()).toMatchObject([{ name: 'data', damage: expect.any(String) }]);
      await expect(store.get('data')).rejects.toThrow(/can only be removed/);
      expect(await readdir(at('data'))).toEqual(['kept']);
      await store.remove('data', unused);
      expect(await store.list()).toEqual([]);
    },
  );

  test('what a crash has left half-made or half-removed goes', async () => {
    await mkdir(join(store.root, '.new-0', '_data'), { recursive: true });
    await mkdir(join(store.root, '.trash-0', '_data', 'x'), { recursive: true });
    const next = await VolumeStore.open(store.root);
    expect(await next.swept()).toHaveLength(2);
    expect(await readdir(store.root)).toEqual([]);
  });
});

describe('copy-up', () => {
  let image: string;
  beforeEach(async () => {
    image = join(folder, 'image');
    await mkdir(join(image, 'sub'), { recursive: true, mode: 0o750 });
    await writeFile(join(image, 'file'), 'content', { mode: 0o640 });
    await link(join(image, 'file'), join(image, 'sub', 'hard'));
    await symlink('/etc/passwd', join(image, 'soft'));
    await utimes(join(image, 'file'), 1, 1_000_000);
    await store.create(wish('data'));
  });

  test('an empty volume gets all that is there, as it is', async () => {
    expect(await store.fill('data', from(image))).toEqual([]);
    expect(await readdir(at('data'))).toEqual(['file', 'soft', 'sub']);
    const [file, hard, soft, top, below] = await Promise.all([
      ...['file', 'sub/hard', 'soft'].map((name) => lstat(at('data', name))),
      lstat(image),
      lstat(at('data')),
    ]);
    expect(file).toMatchObject({ ino: hard?.ino, nlink: 2, mtimeMs: 1_000_000_000 });
    expect(file && file.mode & 0o777).toBe(0o640);
    expect(soft?.isSymbolicLink()).toBe(true);
    expect([below?.mode, below?.mtimeMs]).toEqual([top?.mode, top?.mtimeMs]);
    expect(await readdir(join(store.root, 'data'))).toEqual(['_data', 'volume.json']);
  });

  test('files with holes keep them, in the middle and at the end', async () => {
    const size = 64 * 2 ** 20;
    await using sparse = await open(join(image, 'sparse'), 'w');
    for (const at of [2 ** 20, 2 ** 25]) await sparse.write('x'.repeat(100_000), at);
    await sparse.truncate(size);
    expect(await store.fill('data', from(image))).toEqual([]);
    const there = await stat(at('data', 'sparse'));
    expect(there.size).toBe(size);
    expect(there.blocks * 512).toBeLessThan(size / 8);
    const [copy, original] = await Promise.all(
      [at('data', 'sparse'), join(image, 'sparse')].map(digestOfFile),
    );
    expect(copy).toBe(original);
  });

  test('an empty folder of the image gives its owner and mode', async () => {
    const empty = join(folder, 'empty');
    await mkdir(empty, { mode: 0o710 });
    expect(await store.fill('data', from(empty))).toEqual([]);
    expect((await lstat(at('data'))).mode).toBe((await lstat(empty)).mode);
    expect(await readdir(join(store.root, 'data'))).toEqual(['_data', 'volume.json']);
  });

  test('one that has a file already is left alone, and nothing is opened', async () => {
    await writeFile(at('data', 'own'), 'x');
    expect(await store.fill('data', () => Promise.reject(new Error('opened')))).toEqual([]);
    expect(await readdir(at('data'))).toEqual(['own']);
  });

  test('a copy that was cut off is thrown away and made anew', async () => {
    const half = join(store.root, 'data', '.hull-filling');
    await mkdir(half);
    await writeFile(join(half, 'half'), 'x');
    await store.fill('data', from(image));
    expect(await readdir(at('data'))).toEqual(['file', 'soft', 'sub']);
    expect(await readdir(join(store.root, 'data'))).toEqual(['_data', 'volume.json']);
  });

  test('a copy that was whole is finished, in the same folder, and spares what somebody has written meanwhile', async () => {
    const { ino } = await lstat(at('data'));
    await store.fill('data', from(image));
    const copy = join(store.root, 'data', '.hull-filled');
    await mkdir(copy, { mode: 0o700 });
    await rename(at('data', 'sub'), join(copy, 'sub'));
    await writeFile(join(copy, 'file'), 'from the image');
    await writeFile(at('data', 'file'), 'own');
    await store.fill('data', () => Promise.reject(new Error('opened')));
    expect(await readdir(at('data'))).toEqual(['file', 'soft', 'sub']);
    expect(await readFile(at('data', 'file'), 'utf8')).toBe('own');
    expect(await lstat(at('data'))).toMatchObject({ ino });
    expect(await readdir(join(store.root, 'data'))).toEqual(['_data', 'volume.json']);
  });
});
