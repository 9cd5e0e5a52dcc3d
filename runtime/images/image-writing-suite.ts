import { randomBytes } from 'node:crypto';
import { chmod, chown, link, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { HullError } from '../base/errors.ts';
import type { StorageDriver } from '../storage/driver.ts';
import { openDriver } from '../storage/open-driver.ts';
import { withRoot } from '../storage/with-root.ts';
import { openTree, withTree } from '../storage/with-tree.ts';
import { setRawTimes } from '../sys/raw-path.ts';
import { setXattr } from '../sys/xattr.ts';
import { commitImage } from './commit-image.ts';
import { digestOf } from './digest.ts';
import { openImageStore } from './open-image-store.ts';
import type { FixtureEntry } from './tar-fixture.ts';
import { readTar } from './tar-reader.ts';
import { archiveChanges, archiveTree } from './tar-writing/archive-tree.ts';

const capability = Buffer.from('0100000280040000000000000000000000000000', 'hex');

/** Uses no image. */
export const nobody = { force: false, usedBy: new Map<string, readonly string[]>() };
/** A layer of a few files. */
export const base: FixtureEntry[] = [
  { name: 'etc', type: 'directory' },
  { name: 'etc/motd', data: 'hello' },
  { name: 'etc/old', data: 'old' },
  { name: 'etc/gone', type: 'directory' },
  { name: 'etc/gone/file', data: 'x' },
  { name: 'bin', type: 'directory' },
  { name: 'bin/tool', mode: 0o4755, data: 'x'.repeat(100_000) },
  { name: 'bin/twin', type: 'link', linkname: 'bin/tool' },
];

/** A store of images on a driver, new for every test. */
export interface Workshop {
  readonly name: string;
  readonly folder: string;
  readonly driver: StorageDriver;
  readonly store: Awaited<ReturnType<typeof openImageStore>>;
  place(): { readonly dataRoot: string; readonly execRoot: string };
  close(): Promise<void>;
  /** As a daemon's start does; what it had to repair. */
  open(): Promise<readonly string[]>;
  load(archive: Buffer): Promise<void>;
  /** All that is in the image. */
  treeOf(reference: string): Promise<readonly string[]>;
  /** As a container would: a layer of its own upon the image, changed, committed, gone. */
  commit(parent: string, tag: string | undefined, change: (root: string) => Promise<void>): Promise<string>;
}

/** The tests once for each driver that can be had on any machine. */
export async function describeWithImages(title: string, tests: (shop: Workshop) => void): Promise<void> {
  for (const name of ['vfs', 'overlay']) {
    const reason = await whyNot(name);
    describe.skipIf(reason !== '')(`${title} on ${name}${reason && ` (skipped: ${reason})`}`, () => {
      const shop = new TestWorkshop(name);
      beforeEach(() => shop.begin());
      afterEach(() => shop.end());
      tests(shop);
    });
  }
}

class TestWorkshop implements Workshop {
  readonly name: string;
  folder = '';
  #driver: StorageDriver | undefined;
  #store: Workshop['store'] | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get driver(): StorageDriver {
    if (!this.#driver) throw new Error('the workshop is closed');
    return this.#driver;
  }

  get store(): Workshop['store'] {
    if (!this.#store) throw new Error('the workshop is closed');
    return this.#store;
  }

  async begin(): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), 'hull-writing-'));
    await mkdir(join(this.folder, 'exec'));
    await this.open();
  }

  async end(): Promise<void> {
    await this.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  place(): { readonly dataRoot: string; readonly execRoot: string } {
    return { dataRoot: join(this.folder, 'data'), execRoot: join(this.folder, 'exec') };
  }

  async close(): Promise<void> {
    await this.#driver?.close();
    this.#driver = undefined;
  }

  async open(): Promise<readonly string[]> {
    await this.close();
    const { driver } = await openDriver(this.name, this.place());
    this.#driver = driver;
    await driver.reconcile(new Set());
    this.#store = await openImageStore({ root: join(this.folder, 'data/images'), driver });
    return this.#store.reconcile();
  }

  async load(archive: Buffer): Promise<void> {
    for await (const _ of this.store.load(Readable.from([archive])));
  }

  async treeOf(reference: string): Promise<readonly string[]> {
    const { topLayer = '' } = await this.store.get(reference);
    return withTree(this.driver, topLayer, (root) => listed(archiveTree(root)));
  }

  async commit(
    parent: string,
    tag: string | undefined,
    change: (root: string) => Promise<void>,
  ): Promise<string> {
    const { driver, store } = this;
    const image = await store.get(parent);
    await driver.create('c1', image.topLayer);
    await withRoot(driver, 'c1', change);
    async function* changes() {
      await using own = await openTree(driver, 'c1');
      await using below = await openTree(driver, image.topLayer ?? '');
      yield* archiveChanges(own.path, below.path, { upper: driver.changedNames('c1') });
    }
    const id = await commitImage(store, {
      parent: image.id,
      changes: changes(),
      config: { Cmd: ['/bin/new'] },
      container: 'c1',
      createdBy: `make ${tag}`,
      author: 'somebody',
      comment: 'why',
      reference: tag === undefined ? undefined : { repository: 'made', tag },
    });
    const own = await withTree(driver, 'c1', (root) => listed(archiveTree(root)));
    expect(await this.treeOf(id)).toEqual(own);
    await driver.remove('c1');
    return id;
  }
}

/** Changes of every kind to `base`. */
export async function changeEverything(root: string): Promise<void> {
  await rm(join(root, 'etc/gone'), { recursive: true });
  await rm(join(root, 'etc/old'));
  await mkdir(join(root, 'etc/old'), { mode: 0o700 });
  await writeFile(join(root, 'etc/old/inner'), 'now a folder');
  await rename(join(root, 'etc/motd'), join(root, 'etc/moved'));
  await writeFile(join(root, 'large'), randomBytes(3_000_000));
  await link(join(root, 'large'), join(root, 'large-too'));
  await chown(join(root, 'large'), 1000, 3_000_000_000);
  await chmod(join(root, 'large'), 0o6711);
  setXattr(join(root, 'large'), 'security.capability', capability);
  setXattr(join(root, 'large'), 'trusted.note', Buffer.from([0, 255, 10]));
  await symlink('/nowhere', join(root, 'soft'));
  await mkdir(join(root, `${'deep'.repeat(50)}/${'deeper'.repeat(30)}`), { recursive: true });
  setRawTimes(Buffer.from(join(root, 'soft')), -7n, 5);
  setRawTimes(Buffer.from(join(root, 'large')), 1_600_000_000n, 123_456_789);
}

export async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** All that an archive says of each file. */
export async function listed(archive: AsyncIterable<Uint8Array>): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const entry of readTar(archive)) {
    const { type, name, linkName, mode, uid, gid, mtime, major, minor, xattrs } = entry;
    const content = digestOf(await bytesOf(entry.body())).slice(7, 19);
    const attributes = [...xattrs].map(([key, value]) => `${key}=${value.toString('hex')}`);
    const time = `${mtime.seconds}s${mtime.nanoseconds}`;
    found.push(
      [type, name, linkName, mode.toString(8), uid, gid, time, major, minor, content, ...attributes].join(
        ' ',
      ),
    );
  }
  return found;
}

/** Why the driver cannot be tried here; empty when it can. */
async function whyNot(name: string): Promise<string> {
  if (process.getuid?.() !== 0) return 'needs root to mount';
  const folder = await mkdtemp(join(tmpdir(), 'hull-writing-'));
  try {
    const { driver } = await openDriver(name, {
      dataRoot: join(folder, 'data'),
      execRoot: join(folder, 'exec'),
    });
    await driver.close();
    return '';
  } catch (error) {
    if (error instanceof HullError && error.kind === 'unsupported') return error.message;
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
