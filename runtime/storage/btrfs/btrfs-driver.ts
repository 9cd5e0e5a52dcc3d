import { chmod, lstat, mkdir, readdir, rename, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { HullError, ifExists } from '../../base/errors.ts';
import {
  btrfsMagic,
  createSnapshot,
  createSubvolume,
  destroySubvolume,
  enableQuota,
  limitSubvolume,
  subvolumeInode,
} from '../../kernel/btrfs.ts';
import type { HeldThing } from '../../kernel/holders.ts';
import type { MountSpec } from '../../kernel/mount-spec.ts';
import { coveringMount, readMountInfo } from '../../kernel/mountinfo.ts';
import { type ProbeAnswer, probeText } from '../../kernel/probe.ts';
import type { DriverCapabilities, DriverOptions, StorageDriver } from '../driver.ts';
import { parseSize, rejectUnknownOptions, sizeText } from '../driver-options.ts';
import type { LayerBackend, LayerChain } from '../layer-backend.ts';
import type { LayerRecord } from '../layer-records.ts';
import { type DriverInternals, RecordedDriver } from '../recorded-driver.ts';
import { mountBelow, removeTree } from '../remove-tree.ts';

/**
 * Layers as subvolumes of the btrfs that the data root is on; a child is a writable snapshot of its parent.
 *
 *     <home>/subvolumes/<id>
 *     <home>/removing/       subvolumes on their way out
 *
 * All by ioctl: no program is needed. A subvolume that was made inside of a layer is an empty folder in the layer's children.
 */
export async function openBtrfs(options: DriverOptions, internals?: DriverInternals): Promise<StorageDriver> {
  rejectUnknownOptions('btrfs', options.options, ['btrfs.min_space']);
  const smallest = parseSize('btrfs.min_space', options.options.get('btrfs.min_space') ?? '0');
  return RecordedDriver.open(
    options,
    async () => {
      const probe = await probeBtrfs(options.home);
      if (probe.answer !== 'supported') {
        throw new HullError(`Cannot use storage driver btrfs: ${probeText(probe)}`, { kind: 'unsupported' });
      }
      const backend = new BtrfsBackend(options.home, smallest);
      await backend.prepare();
      return backend;
    },
    internals,
  );
}

async function probeBtrfs(home: string): Promise<ProbeAnswer> {
  const { type } = await statfs(home);
  if (type === btrfsMagic) return { answer: 'supported' };
  const found = coveringMount(readMountInfo('self'), home)?.type ?? `type 0x${type.toString(16)}`;
  return { answer: 'unsupported', missing: `btrfs below ${JSON.stringify(home)}, which is on ${found}` };
}

class BtrfsBackend implements LayerBackend {
  readonly name = 'btrfs';
  readonly capabilities: DriverCapabilities = Object.freeze({ copies: false, hostWide: false });
  readonly #home: string;
  readonly #layers: string;
  readonly #removing: string;
  readonly #smallest: number;

  constructor(home: string, smallest: number) {
    this.#home = home;
    this.#layers = join(home, 'subvolumes');
    this.#removing = join(home, 'removing');
    this.#smallest = smallest;
  }

  async prepare(): Promise<void> {
    await mkdir(this.#layers, { recursive: true, mode: 0o700 });
    await mkdir(this.#removing, { recursive: true, mode: 0o700 });
  }

  newKey(id: string): { readonly key: string } {
    return { key: id };
  }

  async make(layer: LayerRecord, parent: LayerRecord | undefined): Promise<void> {
    if (parent) await createSnapshot(this.#folder(parent), this.#layers, layer.key);
    else {
      await createSubvolume(this.#layers, layer.key);
      await chmod(this.#folder(layer), 0o755);
    }
    if (layer.size === undefined) return;
    await enableQuota(this.#home);
    await limitSubvolume(this.#folder(layer), layer.size);
  }

  async made(): Promise<void> {}

  async lacksForSize(size: number): Promise<string | undefined> {
    if (size >= this.#smallest) return undefined;
    return `at least ${sizeText(this.#smallest)} (btrfs.min_space)`;
  }

  async whyNotRemovable({ key }: LayerRecord): Promise<string | undefined> {
    return mountBelow(join(this.#layers, key));
  }

  async destroy({ key }: LayerRecord): Promise<void> {
    // Moved first: with others inside of it, a subvolume does not go in one step.
    await ifExists(rename(join(this.#layers, key), join(this.#removing, key)));
    await ifExists(destroySubvolume(this.#removing, key));
  }

  async activate([layer]: LayerChain): Promise<readonly MountSpec[]> {
    return [{ type: 'bind', source: this.#folder(layer), target: '', options: [] }];
  }

  async deactivate(): Promise<boolean> {
    return true;
  }

  async deferDeactivation(): Promise<boolean> {
    return false;
  }

  heldThing([layer]: LayerChain): HeldThing {
    return { kind: 'folder', path: this.#folder(layer) };
  }

  pinned(): boolean {
    return false;
  }

  hiddenUser(): boolean {
    return false;
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    const { bsize, blocks, bavail } = await statfs(this.#home);
    return [
      ['Layer Folder', this.#layers],
      ['Space Total', sizeText(blocks * bsize)],
      ['Space Available', sizeText(bavail * bsize)],
    ];
  }

  async sweep(records: readonly LayerRecord[]): Promise<readonly string[]> {
    const known = new Set(records.map(({ key }) => key));
    const strangers = (await readdir(this.#layers)).filter((name) => !known.has(name));
    const goners: readonly (readonly [folder: string, name: string])[] = [
      ...(await readdir(this.#removing)).map((name) => [this.#removing, name] as const),
      ...strangers.map((name) => [this.#layers, name] as const),
    ];
    const did: string[] = [];
    for (const [folder, name] of goners) {
      const path = join(folder, name);
      try {
        if ((await lstat(path)).ino === subvolumeInode) await destroySubvolume(folder, name);
        else await removeTree(path);
        did.push(`Removed ${path}, which no layer record names.`);
      } catch (error) {
        did.push(error instanceof Error ? error.message : String(error));
      }
    }
    return did;
  }

  async close(): Promise<void> {}

  #folder({ key }: LayerRecord): string {
    return join(this.#layers, key);
  }
}
