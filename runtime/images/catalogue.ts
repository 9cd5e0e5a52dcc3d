import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson, removeTemporaries, writeJsonAtomic } from '../base/atomic-file.ts';
import { ifExists } from '../base/errors.ts';
import type { Blobs } from './blobs.ts';
import type { Digest } from './digest.ts';
import { type Descriptor, mediaTypes, parseConfig, parseIndex, parseManifest } from './documents.ts';
import type { ImageConfig } from './image-store.ts';

/** An image as index.json and its manifest have it. */
export interface CatalogueEntry {
  /** Of the config. */
  readonly id: Digest;
  readonly manifest: { readonly digest: Digest; readonly size: number; readonly mediaType: string };
  readonly config: ImageConfig;
  readonly layerBlobs: readonly Digest[];
  readonly references: readonly string[];
  /** `repository@sha256:…`: the manifest's, or an index's that led to it, in registries. */
  readonly repoDigests: readonly string[];
  /** The image that it was made upon here, as long as that one is known. */
  readonly parent?: Digest;
}

const nameKey = 'org.opencontainers.image.ref.name';
const repoDigestsKey = 'hull.image.repo-digests';
const parentKey = 'hull.image.parent';

/** index.json of the layout: which images there are, and their names. Written as a whole, always last. */
export class Catalogue {
  readonly #root: string;
  readonly #blobs: Blobs;
  #entries: ReadonlyMap<Digest, CatalogueEntry> = new Map();

  constructor(root: string, blobs: Blobs) {
    this.#root = root;
    this.#blobs = blobs;
  }

  get entries(): ReadonlyMap<Digest, CatalogueEntry> {
    return this.#entries;
  }

  /** Reads the disk. An image whose documents are gone or damaged is left out, and named in the answer. */
  async read(): Promise<readonly string[]> {
    const path = join(this.#root, 'index.json');
    const problems = (await removeTemporaries(this.#root)).map((name) => `removed unfinished ${name}`);
    const { descriptors, damage } = await this.#descriptors(path);
    if (damage !== undefined) problems.push(damage);
    let dropped = damage !== undefined;
    const entries = new Map<Digest, CatalogueEntry>();
    for (const descriptor of descriptors) {
      const name = descriptor.annotations?.[nameKey];
      try {
        const entry = await this.#load(descriptor);
        const references = [...(entries.get(entry.id)?.references ?? []), ...(name ? [name] : [])];
        const repoDigests = descriptor.annotations?.[repoDigestsKey]?.split(' ') ?? [];
        const parent = descriptor.annotations?.[parentKey];
        entries.set(entry.id, { ...entry, references, repoDigests, ...(parent && { parent }) });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        dropped = true;
        problems.push(`dropped image ${name ?? descriptor.digest}: ${reason}`);
      }
    }
    this.#entries = entries;
    if (dropped) await this.write(entries);
    return problems;
  }

  /** Afterwards these are the images, on the disk and for readers. */
  async write(entries: ReadonlyMap<Digest, CatalogueEntry>): Promise<void> {
    const manifests = [...entries.values()].flatMap(descriptorsOf);
    await writeJsonAtomic(join(this.#root, 'index.json'), {
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests,
    });
    this.#entries = entries;
  }

  async writeLayoutMark(): Promise<void> {
    const path = join(this.#root, 'oci-layout');
    if ((await readJson(path)) === undefined) await writeJsonAtomic(path, { imageLayoutVersion: '1.0.0' });
  }

  /** A damaged index is set aside; the images come back from their manifests, without names. */
  async #descriptors(
    path: string,
  ): Promise<{ readonly descriptors: readonly Descriptor[]; readonly damage?: string }> {
    const text = await ifExists(readFile(path, 'utf8'));
    if (text === undefined) return { descriptors: [] };
    try {
      return { descriptors: parseIndex(text, path).manifests };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      await rename(path, `${path}.damaged`);
      const descriptors = await this.#blobs.manifests();
      return {
        descriptors,
        damage: `${reason}; found ${descriptors.length} images again, without their names`,
      };
    }
  }

  async #load({
    mediaType,
    digest,
    size,
  }: Descriptor): Promise<Omit<CatalogueEntry, 'references' | 'repoDigests'>> {
    const manifest = parseManifest(await this.#blobs.readText(digest), `image manifest ${digest}`);
    const id = manifest.config.digest;
    return {
      id,
      manifest: { mediaType, digest, size },
      config: parseConfig(await this.#blobs.readText(id), `image config ${id}`),
      layerBlobs: manifest.layers.map((layer) => layer.digest),
    };
  }
}

/** One for each name, as layouts have it, or one without a name. */
function descriptorsOf({ manifest, references, repoDigests, parent }: CatalogueEntry): readonly object[] {
  const own = {
    ...(repoDigests.length > 0 && { [repoDigestsKey]: repoDigests.join(' ') }),
    ...(parent && { [parentKey]: parent }),
  };
  if (references.length > 0)
    return references.map((name) => ({ ...manifest, annotations: { [nameKey]: name, ...own } }));
  return [{ ...manifest, ...(Object.keys(own).length > 0 && { annotations: own }) }];
}
