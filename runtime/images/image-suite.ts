import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect } from 'vitest';
import { HullError } from '../base/errors.ts';
import type { StorageDriver } from '../storage/driver.ts';
import { openDriver } from '../storage/open-driver.ts';
import { withRoot } from '../storage/with-root.ts';
import { openTree, withTree } from '../storage/with-tree.ts';
import { commitImage } from './commit-image.ts';
import { listed } from './image-contents.ts';
import { openImageStore } from './open-image-store.ts';
import { archiveChanges, archiveTree } from './tar-writing/archive-tree.ts';

/** Uses no image. */
export const nobody = { force: false, usedBy: new Map() };
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
  /** What it says of each image. */
  load(archive: Buffer): Promise<string>;
  /** The files of the image's /etc. */
  contentOf(reference: string): Promise<Readonly<Record<string, string>>>;
  /** Nothing of any image: no blob, no layer, no half-read archive. */
  expectEmpty(): Promise<void>;
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
    this.folder = await mkdtemp(join(tmpdir(), 'hull-images-'));
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

  async load(archive: Buffer): Promise<string> {
    const lines: string[] = [];
    for await (const { stream } of this.store.load(Readable.from([archive]))) lines.push(stream ?? '');
    return lines.join('');
  }

  async contentOf(reference: string): Promise<Readonly<Record<string, string>>> {
    const { topLayer = '' } = await this.store.get(reference);
    return withRoot(this.driver, topLayer, async (root) => {
      const names = (await readdir(join(root, 'etc'))).sort();
      const texts = names.map(
        async (name) => [name, await readFile(join(root, 'etc', name), 'utf8')] as const,
      );
      return Object.fromEntries(await Promise.all(texts));
    });
  }

  async expectEmpty(): Promise<void> {
    expect(await this.store.list()).toEqual([]);
    expect(await this.driver.list()).toEqual([]);
    for (const each of ['blobs/sha256', 'layers', 'spool'])
      expect(await readdir(join(this.folder, 'data/images', each))).toEqual([]);
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
      yield* archiveChanges(own.path, below.path, { hint: await driver.changeHint('c1') });
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

/** Why the driver cannot be tried here; empty when it can. */
async function whyNot(name: string): Promise<string> {
  if (process.getuid?.() !== 0) return 'needs root to mount';
  const folder = await mkdtemp(join(tmpdir(), 'hull-images-'));
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
