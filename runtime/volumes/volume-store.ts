import { randomBytes } from 'node:crypto';
import { mkdir, readdir, realpath, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeJsonAtomic } from '../base/atomic-file.ts';
import { Cleanup } from '../base/cleanup.ts';
import { HullError } from '../base/errors.ts';
import type { TreeFolder } from '../images/tar-writing/tree-folder.ts';
import { KeyedMutex } from '../storage/keyed-mutex.ts';
import { mountBelow, removeTree } from '../storage/remove-tree.ts';
import { parseDriverOptions } from './driver-options.ts';
import { isMounted, mountedBelow } from './mounted.ts';
import { anonymousLabel, hasOptions, type Volume, type VolumeWish } from './volume.ts';
import { checkVolumeName, newVolumeName } from './volume-name.ts';
import { readVolume, type StoredVolume, volumeFile } from './volume-record.ts';

export interface RemoveOptions {
  /** Who uses it, asked when nobody can begin to any more. */
  readonly users: () => readonly string[];
}

/** The volumes of one daemon. What is on the disk is all there is: nothing is kept in memory but who has his turn. */
export class VolumeStore {
  readonly root: string;
  readonly #turns = new KeyedMutex();
  #sweeping: Promise<readonly string[]> = Promise.resolve([]);

  private constructor(root: string) {
    this.root = root;
  }

  /** What a crash has left half-made or half-removed goes in the background: it may be large. */
  static async open(folder: string): Promise<VolumeStore> {
    await mkdir(folder, { recursive: true, mode: 0o701 });
    const store = new VolumeStore(await realpath(folder));
    const left = (await readdir(store.root)).filter((name) => name.startsWith('.'));
    store.#sweeping = store.#sweep(left);
    return store;
  }

  /** Says what was removed of a crash's leavings, when that is done. */
  async swept(): Promise<readonly string[]> {
    return await this.#sweeping;
  }

  /** Where a volume's files are, or would be. */
  dataOf(name: string): string {
    return join(this.root, name, dataFolder);
  }

  /** Afterwards the volume is there; one of that name is taken as it is. Kinds: invalid, not-found (driver), unsupported. */
  async create(wish: VolumeWish): Promise<Volume & { readonly isNew: boolean }> {
    const { name = newVolumeName(), options } = wish;
    const labels = wish.name === undefined ? { ...wish.labels, [anonymousLabel]: '' } : wish.labels;
    checkVolumeName(name);
    checkDriver(wish.driver);
    parseDriverOptions(options);
    using _ = await this.#turns.take(name);
    const there = await readVolume(this.root, name);
    if (there) return { ...whole(there), isNew: false };
    await using undo = new Cleanup();
    const making = join(this.root, `.new-${randomBytes(8).toString('hex')}`);
    undo.push(() => removeTree(making));
    await mkdir(making, { mode: 0o701 });
    await mkdir(join(making, dataFolder), { mode: 0o755 });
    const createdAt = new Date().toISOString();
    await writeJsonAtomic(join(making, volumeFile), { format: 1, name, createdAt, labels, options });
    await rename(making, join(this.root, name));
    undo.commit();
    await syncFolder(this.root);
    return { name, createdAt, labels, options, mountPoint: this.dataOf(name), isNew: true };
  }

  /** Kind `not-found` with Docker's words. */
  async get(name: string): Promise<Volume> {
    const found = isName(name) ? await readVolume(this.root, name) : undefined;
    if (!found) throw new HullError(`get ${name}: no such volume`, { kind: 'not-found' });
    return whole(found);
  }

  /** By name. A damaged record costs only what it said: the volume is there, and can be removed. */
  async list(): Promise<readonly StoredVolume[]> {
    const names = (await readdir(this.root)).filter(isName).sort();
    const found = await Promise.all(names.map((name) => readVolume(this.root, name)));
    return found.filter((each) => each !== undefined);
  }

  /** Afterwards the volume is absent. Kinds: `not-found`, `conflict` (who uses it), `busy` (what is mounted in it). */
  async remove(name: string, { users }: RemoveOptions): Promise<void> {
    if (!isName(name)) throw new HullError(`get ${name}: no such volume`, { kind: 'not-found' });
    const trash = join(this.root, `.trash-${randomBytes(8).toString('hex')}`);
    {
      using _ = await this.#turns.take(name);
      const path = join(this.root, name);
      if (!(await readVolume(this.root, name))) {
        throw new HullError(`get ${name}: no such volume`, { kind: 'not-found' });
      }
      const inUse = users();
      if (inUse.length > 0) {
        throw new HullError(`remove ${name}: volume is in use - [${inUse.join(', ')}]`, { kind: 'conflict' });
      }
      if (isMounted(this.dataOf(name))) await unmount(this.dataOf(name));
      const mounted = mountBelow(path);
      if (mounted) throw new HullError(`Cannot remove volume ${name}: ${mounted}`, { kind: 'busy' });
      await rename(path, trash);
      await syncFolder(this.root);
    }
    await removeTree(trash);
  }

  /** The same for one that may be gone already, or in use again: then it stays. Answers whether it was removed. */
  async removeUnused(name: string, options: RemoveOptions): Promise<boolean> {
    try {
      await this.remove(name, options);
      return true;
    } catch (error) {
      if (error instanceof HullError && (error.kind === 'not-found' || error.kind === 'conflict'))
        return false;
      throw error;
    }
  }

  /** Afterwards the files of a volume with options are at its mount point; one without has them there anyway. */
  async mount(name: string): Promise<Volume> {
    using _ = await this.#turns.take(name);
    return await this.#mount(name);
  }

  /** The reverse, unless the volume is still needed; asked when nobody can begin to need it. */
  async unmount(name: string, isNeeded: () => boolean): Promise<void> {
    using _ = await this.#turns.take(name);
    const data = this.dataOf(name);
    if (isMounted(data) && !isNeeded()) await unmount(data);
  }

  /**
   * Fills the volume with what is in a folder of an image, if it is empty. `open` is called only then. Answers what could not be copied,
   * in lines. A mounted volume stays mounted.
   */
  async fill(name: string, open: () => Promise<FillSource | undefined>): Promise<readonly string[]> {
    using _ = await this.#turns.take(name);
    const { fillVolume, isEmptyVolume } = await import('./copy-up.ts');
    const volume = await this.#mount(name);
    const data = volume.mountPoint;
    const place = { data, beside: hasOptions(volume) ? data : join(this.root, name) };
    if (!(await isEmptyVolume(place))) return [];
    await using source = await open();
    return source ? await fillVolume(place, source.folder) : [];
  }

  /** At the daemon's start: unmounts volumes that no running container needs. Says which. */
  async reconcile(needed: ReadonlySet<string>): Promise<readonly string[]> {
    const done: string[] = [];
    for (const path of mountedBelow(this.root)) {
      const name = path.slice(this.root.length + 1, -dataFolder.length - 1);
      if (needed.has(name) || path !== this.dataOf(name)) continue;
      await unmount(path);
      done.push(`unmounted volume ${name}`);
    }
    return done;
  }

  async #mount(name: string): Promise<Volume> {
    const volume = await this.get(name);
    const mount = parseDriverOptions(volume.options);
    if (mount && !isMounted(volume.mountPoint)) {
      const { mountVolume } = await import('./host-mounts.ts');
      await mountVolume(volume, mount);
    }
    return volume;
  }

  async #sweep(names: readonly string[]): Promise<readonly string[]> {
    const done: string[] = [];
    for (const name of names) {
      try {
        await removeTree(join(this.root, name));
        done.push(`removed ${name}, which a crash has left`);
      } catch (error) {
        done.push(`kept ${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return done;
  }
}

/** What mounts and copies is loaded with its first use: a daemon without volumes starts without it. */
async function unmount(path: string): Promise<void> {
  const { unmountVolume } = await import('./host-mounts.ts');
  await unmountVolume(path);
}

/** A folder of a root that is held as long as this is. */
export interface FillSource extends AsyncDisposable {
  readonly folder: TreeFolder;
}

const dataFolder = '_data';
const isName = (name: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name);

function checkDriver(driver: string): void {
  if (driver === '' || driver === 'local') return;
  throw new HullError(
    `Cannot use the volume driver ${JSON.stringify(driver)}: plugin ${JSON.stringify(driver)} not found, wanted local`,
    { kind: 'not-found' },
  );
}

function whole(volume: StoredVolume): Volume {
  if (volume.damage === undefined) return volume;
  throw new HullError(`Cannot use volume ${volume.name}: ${volume.damage}; it can only be removed`, {
    kind: 'internal',
  });
}
