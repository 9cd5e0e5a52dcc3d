import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { removeTemporaries, syncFolder, writeJsonAtomic } from '../base/atomic-file.ts';
import { codeOf, HullError, joinErrors } from '../base/errors.ts';
import type { LayerId, StorageDriver } from '../storage/driver.ts';
import { withRoot } from '../storage/with-root.ts';
import { syncFileSystem } from '../sys/raw-path.ts';
import { decompress } from './decompress.ts';
import { type Digest, DigestStream, expectDigest, hexOf } from './digest.ts';
import type { Reserve } from './reserve.ts';

const recordSchema = z.object({
  chainId: z.string(),
  diffId: z.string(),
  parent: z.string().optional(),
  /** Only a `complete` layer is ever used; any other is removed, by whoever meets it. */
  state: z.enum(['unpacking', 'complete', 'removing']),
  /** Content bytes. */
  size: z.int().nonnegative(),
});
type LayerRecord = z.infer<typeof recordSchema>;

export interface LayerToUnpack {
  readonly chainId: Digest;
  readonly diffId: Digest;
  readonly parent: Digest | undefined;
  /** The layer's tar, compressed or not. */
  readonly blob: () => AsyncIterable<Uint8Array>;
}

/** Image layers in the storage driver, one for each chain id. The record is written before the layer is made and after it is whole. */
export class Layers {
  readonly #folder: string;
  readonly #driver: StorageDriver;
  readonly #reserve: Reserve;

  constructor(root: string, driver: StorageDriver, reserve: Reserve) {
    this.#folder = join(root, 'layers');
    this.#reserve = reserve;
    this.#driver = driver;
  }

  async prepare(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
  }

  /** The size of a whole layer; undefined where it is absent or not whole. */
  async sizeOf(chainId: Digest): Promise<number | undefined> {
    const record = await this.#read(chainId);
    return record?.state === 'complete' ? record.size : undefined;
  }

  /** Afterwards the layer is there and whole, and its content is the one that `diffId` names; or it is absent. */
  async unpack({ chainId, diffId, parent, blob }: LayerToUnpack): Promise<void> {
    if ((await this.sizeOf(chainId)) !== undefined) {
      await this.#measure(diffId, blob());
      return;
    }
    const record: LayerRecord = { chainId, diffId, state: 'unpacking', size: 0, ...(parent && { parent }) };
    await this.#write(record);
    const layer = layerIdOf(chainId);
    if (!(await this.#clear(layer))) {
      // Others are made upon it, which happens to whole layers only: its record alone was lost.
      return this.#write({ ...record, state: 'complete', size: await this.#measure(diffId, blob()) });
    }
    try {
      await this.#driver.create(layer, parent && layerIdOf(parent));
      const size = await withRoot(this.#driver, layer, (root) => this.#fill(root, diffId, blob()));
      await this.#write({ ...record, state: 'complete', size });
    } catch (error) {
      await this.remove(chainId).catch((later: unknown) => {
        throw joinErrors(error, later);
      });
      throw error;
    }
  }

  /** Afterwards the layer and its record are absent. Kinds `busy` and `conflict` leave both; the layer is no longer used. */
  async remove(chainId: Digest): Promise<void> {
    await this.#reserve.spend(async () => {
      const record = await this.#read(chainId);
      if (!record) return;
      if (record.state === 'complete') await this.#write({ ...record, state: 'removing' });
      await this.#driver.remove(layerIdOf(chainId));
      rmSync(this.#path(chainId), { force: true });
      await syncFolder(this.#folder);
    });
  }

  /** As `remove`; answers why the layer stays for now: somebody holds it, or others are made upon it. */
  async tryRemove(chainId: Digest): Promise<HullError | undefined> {
    try {
      await this.remove(chainId);
      return undefined;
    } catch (error) {
      if (error instanceof HullError && (error.kind === 'busy' || error.kind === 'conflict')) return error;
      throw error;
    }
  }

  /** Chain ids of all records, those without a child first: the order in which they can be removed. */
  async childrenFirst(): Promise<readonly Digest[]> {
    const records = await this.#all();
    const byChain = new Map(records.map((record) => [record.chainId, record]));
    const depth = (record: LayerRecord): number => {
      const parent = record.parent === undefined ? undefined : byChain.get(record.parent);
      return parent ? depth(parent) + 1 : 0;
    };
    return records.toSorted((a, b) => depth(b) - depth(a)).map(({ chainId }) => chainId);
  }

  /** Removes the records of layers that are not whole, or that the driver does not have. Says what it did. */
  async reconcile(): Promise<readonly string[]> {
    const present = new Set(await this.#driver.list());
    const done = (await removeTemporaries(this.#folder)).map((name) => `removed unfinished record ${name}`);
    for (const chainId of await this.childrenFirst()) {
      const record = await this.#read(chainId);
      if (!record || (record.state === 'complete' && present.has(layerIdOf(chainId)))) continue;
      const reason = record.state === 'complete' ? 'gone from the storage driver' : `found ${record.state}`;
      const kept = await this.tryRemove(chainId);
      done.push(kept ? `kept layer ${chainId}: ${kept.message}` : `removed layer ${chainId}: ${reason}`);
    }
    return done;
  }

  /** Removes what an interrupted try has left; false where other layers are made upon it. */
  async #clear(layer: LayerId): Promise<boolean> {
    try {
      await this.#driver.remove(layer);
      return true;
    } catch (error) {
      if (error instanceof HullError && error.kind === 'conflict') return false;
      throw error;
    }
  }

  async #fill(root: string, diffId: Digest, blob: AsyncIterable<Uint8Array>): Promise<number> {
    const { untar } = await import('./untar.ts');
    const hash = new DigestStream();
    const { bytes } = await untar(hash.through(decompress(blob)), root);
    expectDigest('the layer', hash.finish().digest, diffId);
    // The record that follows says "whole", and must not outlive a power cut that the files do not.
    const folder = openSync(root, 'r');
    try {
      syncFileSystem(folder);
    } finally {
      closeSync(folder);
    }
    return bytes;
  }

  /** Content bytes of a layer that is not unpacked, checked as if it were. */
  async #measure(diffId: Digest, blob: AsyncIterable<Uint8Array>): Promise<number> {
    const { readTar } = await import('./tar-reader.ts');
    const hash = new DigestStream();
    let bytes = 0;
    for await (const { size } of readTar(hash.through(decompress(blob)))) bytes += size;
    expectDigest('the layer', hash.finish().digest, diffId);
    return bytes;
  }

  #path(chainId: Digest): string {
    return join(this.#folder, `${hexOf(chainId)}.json`);
  }

  /** A damaged record says nothing about its layer, so that is to be removed, and unpacked again. */
  async #read(chainId: Digest): Promise<LayerRecord | undefined> {
    let text: string;
    try {
      text = readFileSync(this.#path(chainId), 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
    const record = recordSchema.safeParse(parseJson(text));
    return record.data ?? { chainId, diffId: '', state: 'removing', size: 0 };
  }

  async #write(record: LayerRecord): Promise<void> {
    await writeJsonAtomic(this.#path(record.chainId), record);
  }

  async #all(): Promise<readonly LayerRecord[]> {
    const names = (await readdir(this.#folder)).filter((name) => /^[0-9a-f]{64}\.json$/.test(name));
    const records = await Promise.all(names.map((name) => this.#read(`sha256:${name.slice(0, 64)}`)));
    return records.filter((record) => record !== undefined);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The storage driver's name for an image layer; a container's own is its id. */
export const layerIdOf = (chainId: Digest): LayerId => `image-${hexOf(chainId)}`;
