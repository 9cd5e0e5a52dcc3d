import type { Readable } from 'node:stream';
import { HullError, joinErrors } from '../base/errors.ts';
import { architecture } from './architecture.ts';
import type { Blobs, Spool, SpooledBlob } from './blobs.ts';
import type { Catalogue, CatalogueEntry } from './catalogue.ts';
import { childrenOf, parentOf, renamings, withNames, without } from './catalogue-entries.ts';
import { decompress } from './decompress.ts';
import { chainIds, type Digest } from './digest.ts';
import { parseConfig } from './documents.ts';
import { findImage } from './find-image.ts';
import { describeImage } from './image-manifest.ts';
import type {
  Image,
  ImageConfigChanges,
  ImageProgress,
  ImageReference,
  ImageRemoval,
  ImageRemovalOptions,
  ImageStore,
} from './image-store.ts';
import { type Layers, layerIdOf } from './layers.ts';
import { isForgotten, planRemoval } from './plan-removal.ts';
import type { ArchivedImage } from './read-archive.ts';
import { formatReference, parseReference } from './reference.ts';
import type { ImageDepot, StoredImage, UnpackListener } from './registry/depot.ts';
import type { Partials } from './registry/partials.ts';
import type { Reserve } from './reserve.ts';
import { Sweeper } from './sweep-images.ts';
import { unpackImage } from './unpack-image.ts';

/** Puts together blobs, unpacked layers and the catalogue; every change runs alone, and writes the catalogue last. */
export class LayoutImageStore implements ImageStore, ImageDepot {
  readonly #blobs: Blobs;
  readonly #layers: Layers;
  readonly #catalogue: Catalogue;
  readonly #reserve: Reserve;
  readonly #partials: Partials;
  readonly #sweeper: Sweeper;
  readonly #sizes = new Map<Digest, number>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(blobs: Blobs, layers: Layers, catalogue: Catalogue, reserve: Reserve, partials: Partials) {
    this.#reserve = reserve;
    this.#partials = partials;
    this.#blobs = blobs;
    this.#layers = layers;
    this.#catalogue = catalogue;
    this.#sweeper = new Sweeper(blobs, layers, () => this.entries());
  }

  async *load(archive: Readable): AsyncGenerator<ImageProgress, void, undefined> {
    await using spool = await this.#blobs.openSpool();
    yield { status: 'Reading the archive' };
    const { readArchive } = await import('./read-archive.ts');
    for (const image of await readArchive(archive, spool)) {
      const references = image.references.map((text) => formatReference(parseReference(text)));
      yield { status: `Unpacking ${image.layers.length} layers`, id: image.configBlob.digest };
      yield* renamings(this.#catalogue.entries, image.configBlob.digest, references);
      await this.#alone(() => this.#keep(image, references));
      const names = references.length > 0 ? references : [image.configBlob.digest];
      for (const name of names) {
        yield { stream: `Loaded image${references.length > 0 ? '' : ' ID'}: ${name}\n` };
      }
    }
  }

  async import(
    archive: Readable,
    reference: ImageReference | undefined,
    changes: ImageConfigChanges,
  ): Promise<string> {
    await using spool = await this.#blobs.openSpool();
    const layer = await spool.write(decompress(archive));
    const created = new Date().toISOString();
    const config = JSON.stringify({
      architecture: architecture(),
      os: 'linux',
      created,
      config: changes,
      rootfs: { type: 'layers', diff_ids: [layer.digest] },
      history: [{ created, comment: 'imported from a root file system' }],
    });
    const configBlob = await spool.write(once(config));
    const image = {
      references: [],
      config: parseConfig(config, 'the new config'),
      configBlob,
      layers: [layer],
    };
    await this.#alone(() => this.#keep(image, reference ? [checked(reference)] : []));
    return configBlob.digest;
  }

  async openSpool(): Promise<Spool> {
    return this.#blobs.openSpool();
  }

  async hold(digest: Digest, spool: Spool): Promise<SpooledBlob | undefined> {
    return this.#blobs.hold(digest, spool);
  }

  async adopt(
    image: ArchivedImage,
    repoDigests: readonly string[],
    listener?: UnpackListener,
  ): Promise<void> {
    await this.#alone(() => this.#keep(image, image.references, repoDigests, listener));
  }

  async addNames(
    id: Digest,
    manifest: Digest,
    references: readonly string[],
    repoDigests: readonly string[],
  ): Promise<boolean> {
    return this.#alone(async () => {
      const entry = this.#catalogue.entries.get(id);
      if (entry?.manifest.digest !== manifest) return false;
      await this.#catalogue.write(withNames(this.#catalogue.entries, entry, references, repoDigests));
      return true;
    });
  }

  async stored(nameOrId: string): Promise<StoredImage> {
    const { entry } = findImage(this.#catalogue.entries.values(), nameOrId);
    return { ...entry, manifestText: await this.#blobs.readText(entry.manifest.digest) };
  }

  entries(): readonly CatalogueEntry[] {
    return [...this.#catalogue.entries.values()];
  }

  async list(): Promise<readonly Image[]> {
    return Promise.all([...this.#catalogue.entries.values()].map((entry) => this.#image(entry)));
  }

  async get(nameOrId: string): Promise<Image> {
    return this.#image(findImage(this.#catalogue.entries.values(), nameOrId).entry);
  }

  async tag(nameOrId: string, reference: ImageReference): Promise<void> {
    const name = checked(reference);
    await this.#alone(async () => {
      const { entry } = findImage(this.#catalogue.entries.values(), nameOrId);
      await this.#catalogue.write(withNames(this.#catalogue.entries, entry, [name]));
    });
  }

  async remove(
    nameOrId: string,
    { force, usedBy, keepParents = false }: ImageRemovalOptions,
  ): Promise<readonly ImageRemoval[]> {
    return this.#alone(async () => {
      const entries = new Map(this.#catalogue.entries);
      const found = findImage(entries.values(), nameOrId);
      const users = (id: Digest) => usedBy.get(id) ?? [];
      const { id } = found.entry;
      const wish = { asked: nameOrId, force, users: users(id), children: childrenOf(id, entries) };
      const { untagged, keep } = planRemoval(found, wish);
      const deleted: Digest[] = [];
      const forget = (entry: CatalogueEntry): void => {
        entries.delete(entry.id);
        deleted.push(entry.id);
        const parent = parentOf(entry, entries);
        if (keepParents || !parent) return;
        if (isForgotten(parent, users(parent.id), childrenOf(parent.id, entries))) forget(parent);
      };
      if (keep) entries.set(id, without(found.entry, untagged));
      else forget(found.entry);
      await this.#reserve.spend(() => this.#catalogue.write(entries));
      const removals: ImageRemoval[] = untagged.map((name) => ({ untagged: name }));
      if (keep) return removals;
      const own = users(id).length > 0 ? chainIds(found.entry.config.rootfs.diff_ids) : [];
      const { gone, unexplained } = await this.#sweeper.sweepLayers(own);
      await this.#sweeper.sweepBlobs();
      if (unexplained) throw stillHeld(id, unexplained);
      return [...removals, ...[...deleted, ...gone].map((each) => ({ deleted: each }))];
    });
  }

  async sweep(): Promise<void> {
    if (this.#sweeper.isUnfinished) await this.#alone(() => this.#sweeper.sweepLayers());
  }

  async reconcile(): Promise<readonly string[]> {
    return this.#alone(async () => {
      const spooled = (await this.#blobs.sweepSpool()).map((name) => `removed unfinished load ${name}`);
      const partial = (await this.#partials.sweep()).map((name) => `removed stale download ${name}`);
      const dropped = await this.#catalogue.read();
      const halves = await this.#layers.reconcile();
      const restored = await this.#restoreLayers();
      const { gone, kept } = await this.#sweeper.sweepLayers();
      const unused = [
        ...gone.map((chainId) => `removed unused layer ${chainId}`),
        ...kept.map(({ message }) => `kept an unused layer: ${message}`),
      ];
      const blobs = (await this.#sweeper.sweepBlobs()).map((name) => `removed unused blob ${name}`);
      return [...spooled, ...partial, ...dropped, ...halves, ...restored, ...unused, ...blobs];
    });
  }

  async #keep(
    image: ArchivedImage,
    references: readonly string[],
    repoDigests: readonly string[] = [],
    listener?: UnpackListener,
  ): Promise<void> {
    try {
      const blobs = [image.configBlob, ...image.layers];
      for (const blob of blobs) await this.#blobs.keep(blob);
      const entry = await describeImage(this.#blobs, image, this.#catalogue.entries);
      await unpackImage(this.#parts, entry, { listener, trusted: this.#trusted(image) });
      // What a registry gave is kept as it is, though the same image is loaded again in another form.
      const known = this.#catalogue.entries.get(entry.id);
      const kept = known && known.repoDigests.length > 0 && !image.manifest ? known : entry;
      await this.#blobs.flush(blobs);
      await this.#catalogue.write(withNames(this.#catalogue.entries, kept, references, repoDigests));
      // Its other form, with blobs of its own, is no longer named.
      if (known && known.manifest.digest !== entry.manifest.digest) await this.#sweeper.sweepBlobs();
    } catch (error) {
      // Nothing names what this load has brought: it goes again.
      try {
        await this.#sweeper.sweepLayers();
        await this.#sweeper.sweepBlobs();
      } catch (later) {
        throw joinErrors(error, later);
      }
      throw error;
    }
  }

  /** How many layers are those of the image's parent, which were checked when that one came. */
  #trusted({ parent, config }: ArchivedImage): number {
    const below = this.#catalogue.entries.get(parent ?? '')?.config.rootfs.diff_ids ?? [];
    return below.every((diffId, index) => diffId === config.rootfs.diff_ids[index]) ? below.length : 0;
  }

  /** Layers that a crash, or somebody's rm, took from a whole image are unpacked again from its blobs. */
  async #restoreLayers(): Promise<readonly string[]> {
    const done: string[] = [];
    for (const entry of this.#catalogue.entries.values()) {
      const sizes = await Promise.all(
        chainIds(entry.config.rootfs.diff_ids).map((id) => this.#layers.sizeOf(id)),
      );
      if (!sizes.includes(undefined)) continue;
      try {
        await unpackImage(this.#parts, entry);
        done.push(`unpacked image ${entry.id} again`);
      } catch (error) {
        const entries = new Map(this.#catalogue.entries);
        entries.delete(entry.id);
        await this.#catalogue.write(entries);
        done.push(`dropped image ${entry.id}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return done;
  }

  async #image(entry: CatalogueEntry): Promise<Image> {
    const { id, config, references, repoDigests } = entry;
    const chain = chainIds(config.rootfs.diff_ids);
    const layers = await Promise.all(
      chain.map(async (chainId) => ({ chainId, size: await this.#sizeOf(chainId) })),
    );
    const top = chain.at(-1);
    return {
      id,
      tags: references,
      repoDigests,
      config,
      parent: parentOf(entry, this.#catalogue.entries)?.id,
      layers,
      size: layers.reduce((sum, { size }) => sum + size, 0),
      createdAt: config.created ?? '0001-01-01T00:00:00Z',
      topLayer: top && layerIdOf(top),
    };
  }

  /** 0 where the layer is not whole. A whole one never has another size. */
  async #sizeOf(chainId: Digest): Promise<number> {
    const known = this.#sizes.get(chainId) ?? (await this.#layers.sizeOf(chainId));
    if (known !== undefined) this.#sizes.set(chainId, known);
    return known ?? 0;
  }

  get #parts(): { readonly blobs: Blobs; readonly layers: Layers } {
    return { blobs: this.#blobs, layers: this.#layers };
  }

  /** Changes run one after the other; a reader sees the catalogue before or after one. */
  async #alone<T>(action: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(action, action);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

function stillHeld(id: Digest, reason: HullError): HullError {
  return new HullError(`Cannot remove all layers of image ${id}: ${reason.message}`, {
    kind: reason.kind,
    hint: 'The image is gone; its layers are removed with the next removal or at the next start, when nobody holds them.',
    cause: reason,
  });
}

const checked = (reference: ImageReference): string =>
  formatReference(parseReference(formatReference(reference)));

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
