import { type FileHandle, open, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { HullError } from '../../base/errors.ts';
import { deviceMapper, deviceNode } from '../../kernel/device-mapper.ts';
import type { ChangeHint } from '../driver.ts';
import { type Ext4Tables, readExt4Tables } from './ext4-tables.ts';
import type { MetadataSnapshot } from './metadata-snapshot.ts';
import { type ByteRange, findSameInodes, readBytes } from './same-inodes.ts';
import { probeThinDelta, readSameBlocks } from './thin-delta.ts';
import type { ThinDevice } from './thin-devices.ts';
import type { ThinPool } from './thin-pool.ts';

/** A pool that has fewer blocks left for metadata is not asked to keep what it would free. */
const spareMetadata = 256;

/**
 * How a layer differs from its parent, from below their file systems: thin_delta tells which blocks the two thin devices share, and inodes in
 * those are the same; inodes elsewhere are compared byte for byte. What is in doubt is not the same, and a file system that is in any way
 * unusual, or mounted for writing, has no hint: both trees are walked then.
 */
export class LayerComparison {
  readonly #pool: ThinPool;
  readonly #snapshot: MetadataSnapshot;
  /** thin_delta's version, from when it was found. */
  #version: string | undefined;
  #withoutDelta: string | undefined;
  #walked: string | undefined;

  constructor(pool: ThinPool, snapshot: MetadataSnapshot) {
    this.#pool = pool;
    this.#snapshot = snapshot;
  }

  /** Undefined, for a reason that `describe` has, where both trees must be walked. Both devices are active and mounted for reading only. */
  async hint(own: ThinDevice, parent: ThinDevice): Promise<ChangeHint | undefined> {
    try {
      return { kind: 'inodes', isSame: await this.#compare(own, parent) };
    } catch (error) {
      this.#walked = textOf(error);
      return undefined;
    }
  }

  /** For `docker info`. */
  async describe(): Promise<string> {
    const version = await this.#thinDelta();
    const [how, why] =
      version === undefined
        ? ['inode tables, without thin_delta', this.#withoutDelta]
        : [`thin_delta ${version}`, this.#withoutDelta];
    const walked = this.#walked === undefined ? '' : `; last walked both trees: ${this.#walked}`;
    return `${how}${why === undefined ? '' : ` (${why})`}${walked}`;
  }

  async #compare(own: ThinDevice, parent: ThinDevice): Promise<(inode: number) => boolean> {
    const nodes = [await nodeOf(own), await nodeOf(parent)] as const;
    await using device = await open(nodes[0]);
    await using parentDevice = await open(nodes[1]);
    const before = [await tablesOf(device, own), await tablesOf(parentDevice, parent)] as const;
    const [tables, parentTables] = before;
    refuseDifferentGeometry(own, tables, parentTables);
    // Whatever is only in memory is in the pool afterwards: the blocks that are written to are no longer shared.
    await device.sync();
    await parentDevice.sync();
    const sameBlocks = await this.#sameBlocks(own, parent);
    const isSame = await findSameInodes(
      { device, tables },
      { device: parentDevice, tables: parentTables },
      sameBlocks,
    );
    for (const [at, handle] of [device, parentDevice].entries()) {
      const thin = at === 0 ? own : parent;
      await nodeOf(thin);
      const after = await tablesOf(handle, thin);
      if (!after.superblock.equals(before[at]?.superblock ?? Buffer.alloc(0)))
        throw unfit(thin, 'somebody wrote to it meanwhile');
    }
    return isSame;
  }

  async #sameBlocks(own: ThinDevice, parent: ThinDevice): Promise<readonly ByteRange[]> {
    this.#withoutDelta = undefined;
    try {
      if ((await this.#thinDelta()) === undefined) return [];
      const { mode, needsCheck, metadataTotal, metadataUsed } = this.#pool.status();
      if (mode !== 'rw' || needsCheck) throw new Error(`the pool's mode is ${mode}`);
      const left = metadataTotal - metadataUsed;
      if (left < spareMetadata)
        throw new Error(`the pool has ${left} metadata blocks left, wanted ${spareMetadata}`);
      const blockSize = this.#pool.blockSize();
      return await this.#snapshot.use((metadata) =>
        readSameBlocks({ metadata, snapshot: true, left: parent.device, right: own.device, blockSize }),
      );
    } catch (error) {
      this.#withoutDelta = textOf(error);
      return [];
    }
  }

  // Only what was found is remembered: a program can be installed later.
  async #thinDelta(): Promise<string | undefined> {
    if (this.#version !== undefined) return this.#version;
    const probe = await probeThinDelta();
    if ('why' in probe) this.#withoutDelta = probe.why;
    else this.#version = probe.version;
    return this.#version;
  }
}

/** The node of an active device whose ext4 file system is mounted, and for reading only wherever it is. */
async function nodeOf(thin: ThinDevice): Promise<string> {
  const info = deviceMapper.info(thin.name);
  if (!info?.liveTable || info.suspended) throw unfit(thin, 'its device is not active');
  const node = deviceNode(info);
  const options = await readFile(`/proc/fs/ext4/${basename(node)}/options`, 'utf8').catch(() => '');
  const found = options.split('\n', 1)[0] || 'not mounted as ext4';
  if (found !== 'ro') throw unfit(thin, `it is ${found}, wanted mounted for reading only`);
  return node;
}

async function tablesOf(device: FileHandle, thin: ThinDevice): Promise<Ext4Tables> {
  const tables = await readExt4Tables((offset, length) => readBytes(device, offset, length));
  if (typeof tables === 'string') throw unfit(thin, tables);
  return tables;
}

function refuseDifferentGeometry(own: ThinDevice, tables: Ext4Tables, parent: Ext4Tables): void {
  for (const key of ['uuid', 'inodeSize', 'inodesPerGroup'] as const)
    if (tables[key] !== parent[key])
      throw unfit(own, `its ${key} is ${tables[key]}, its parent's ${parent[key]}`);
}

function unfit({ name }: ThinDevice, why: string): HullError {
  return new HullError(`Cannot read the inodes of ${name}: ${why}`, { kind: 'unsupported' });
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
