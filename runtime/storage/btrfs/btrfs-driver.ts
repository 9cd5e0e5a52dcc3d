import { chmod, lstat, readdir, rename, statfs } from 'node:fs/promises';
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
import { coveringMount, readMountInfo } from '../../kernel/mountinfo.ts';
import { type ProbeAnswer, probeText } from '../../kernel/probe.ts';
import type { DriverCapabilities, DriverOptions, StorageDriver } from '../driver.ts';
import { parseSize, rejectUnknownOptions, sizeText } from '../driver-options.ts';
import { FolderBackend } from '../folder-backend.ts';
import type { LayerRecord } from '../layer-records.ts';
import { type DriverInternals, RecordedDriver } from '../recorded-driver.ts';
import { removeTree } from '../remove-tree.ts';

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

class BtrfsBackend extends FolderBackend {
  readonly name = 'btrfs';
  // A flush of a record writes that alone down, and neither subvolumes nor other names.
  override readonly keepsOrder = false;
  readonly capabilities: DriverCapabilities = Object.freeze({ copies: false, hostWide: false });
  readonly #smallest: number;

  constructor(home: string, smallest: number) {
    super(home, 'subvolumes');
    this.#smallest = smallest;
  }

  async make(layer: LayerRecord, parent: LayerRecord | undefined): Promise<void> {
    if (parent) await createSnapshot(this.folder(parent), this.layers, layer.key);
    else {
      await createSubvolume(this.layers, layer.key);
      await chmod(this.folder(layer), 0o755);
    }
    if (layer.size === undefined) return;
    await enableQuota(this.home);
    await limitSubvolume(this.folder(layer), layer.size);
  }

  async lacksForSize(size: number): Promise<string | undefined> {
    if (size >= this.#smallest) return undefined;
    return `at least ${sizeText(this.#smallest)} (btrfs.min_space)`;
  }

  async destroy({ key }: LayerRecord): Promise<void> {
    // Moved first: with others inside of it, a subvolume does not go in one step.
    await ifExists(rename(join(this.layers, key), join(this.removing, key)));
    await ifExists(destroySubvolume(this.removing, key));
  }

  override async status(): Promise<readonly (readonly [string, string])[]> {
    const { bsize, blocks, bavail } = await statfs(this.home);
    return [
      ['Layer Folder', this.layers],
      ['Space Total', sizeText(blocks * bsize)],
      ['Space Available', sizeText(bavail * bsize)],
    ];
  }

  override async sweep(records: readonly LayerRecord[]): Promise<readonly string[]> {
    const known = new Set(records.map(({ key }) => key));
    const strangers = (await readdir(this.layers)).filter((name) => !known.has(name));
    const goners: readonly (readonly [folder: string, name: string])[] = [
      ...(await readdir(this.removing)).map((name) => [this.removing, name] as const),
      ...strangers.map((name) => [this.layers, name] as const),
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
}
