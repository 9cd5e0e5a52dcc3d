import { createReadStream } from 'node:fs';
import { HullError } from '../base/errors.ts';
import type { Spool, SpooledBlob } from './blobs.ts';
import { type Digest, hexOf } from './digest.ts';
import { mediaTypes, parseManifest } from './documents.ts';
import { legacyEntries } from './legacy-archive.ts';
import { parseReference, splitRepository } from './reference.ts';
import type { ImageDepot, StoredImage } from './registry/depot.ts';
import { fileEntry, folderEntry, textEntry } from './tar-writing/plain-entries.ts';
import { type TarSource, writeTar } from './tar-writing/write-tar.ts';

/** `oci`: as Docker since 25, an image layout with a manifest.json. `legacy`: as Docker before, a folder for each layer. */
export type ArchiveFormat = 'oci' | 'legacy';

/** An image on its way out; its blobs stay readable, whatever is removed meanwhile. */
export interface HeldImage {
  readonly stored: StoredImage;
  /** Names that go with it. */
  readonly references: readonly string[];
  readonly config: SpooledBlob;
  /** One for each diff id. */
  readonly layers: readonly SpooledBlob[];
}

/**
 * What `docker save` writes for these names and ids: a name without a tag means all tags of it, an id brings the image without
 * names. Blobs go as they are stored, so a load gives the same image id and a registry's digests stay true.
 * @throws HullError `not-found` before the first byte.
 */
export async function* saveImages(
  depot: ImageDepot,
  names: readonly string[],
  format: ArchiveFormat,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using spool = await depot.openSpool();
  const images = await Promise.all(
    [...(await choose(depot, names))].map(([id, references]) => hold(depot, spool, id, references)),
  );
  yield* writeTar(format === 'oci' ? layoutEntries(images) : legacyEntries(images, spool));
}

async function choose(
  depot: ImageDepot,
  names: readonly string[],
): Promise<ReadonlyMap<Digest, readonly string[]>> {
  const chosen = new Map<Digest, string[]>();
  const add = (id: Digest, references: readonly string[]) =>
    chosen.set(id, [...new Set([...(chosen.get(id) ?? []), ...references])]);
  for (const name of names) {
    const tagless = !/[:@]/.test(name.slice(name.lastIndexOf('/') + 1));
    const tagged = tagless ? tagsOf(depot, name) : [];
    for (const [id, references] of tagged) add(id, references);
    if (tagged.length > 0) continue;
    const { id, references } = await depot.stored(name);
    add(
      id,
      references.filter((reference) => isNamed(name, reference)),
    );
  }
  return chosen;
}

function tagsOf(depot: ImageDepot, name: string): readonly (readonly [Digest, readonly string[]])[] {
  return depot.entries().flatMap(({ id, references }) => {
    const mine = references.filter((reference) =>
      isNamed(`${name}:${parseReference(reference).tag}`, reference),
    );
    return mine.length > 0 ? [[id, mine] as const] : [];
  });
}

function isNamed(text: string, reference: string): boolean {
  try {
    const [a, b] = [parseReference(text), parseReference(reference)];
    return a.digest === undefined && a.repository === b.repository && a.tag === b.tag;
  } catch {
    return false;
  }
}

async function hold(
  depot: ImageDepot,
  spool: Spool,
  id: Digest,
  references: readonly string[],
): Promise<HeldImage> {
  const take = async (digest: Digest): Promise<SpooledBlob> => {
    const blob = await depot.hold(digest, spool);
    if (blob) return blob;
    throw new HullError(`Cannot save image ${id}: found no blob ${digest}, wanted it in the store`, {
      kind: 'not-found',
    });
  };
  const stored = await depot.stored(id);
  const [config, ...layers] = await Promise.all([id, ...stored.layerBlobs].map(take));
  if (!config) throw new Error('unreachable');
  return { stored, references, config, layers };
}

function* layoutEntries(images: readonly HeldImage[]): Generator<TarSource> {
  yield folderEntry('blobs/');
  yield folderEntry('blobs/sha256/');
  const written = new Set<Digest>();
  for (const { stored, config, layers } of images) {
    for (const { digest, size, path } of [...layers, config]) {
      if (written.has(digest)) continue;
      written.add(digest);
      yield fileEntry(blobPath(digest), size, () => createReadStream(path, { highWaterMark: 256 * 1024 }));
    }
    const { digest } = stored.manifest;
    if (!written.has(digest)) yield textEntry(blobPath(digest), stored.manifestText);
    written.add(digest);
  }
  yield textEntry(
    'index.json',
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: images.flatMap(descriptorsOf),
    }),
  );
  yield textEntry('manifest.json', JSON.stringify(images.map((image) => dockerManifest(image, images))));
  yield textEntry('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
}

/** One for each name, with containerd's annotation for the whole of it and OCI's for the tag, as Docker writes them. */
function descriptorsOf({ stored, references }: HeldImage): readonly object[] {
  if (references.length === 0) return [stored.manifest];
  return references.map((reference) => ({
    ...stored.manifest,
    annotations: {
      'io.containerd.image.name': fullName(reference),
      'org.opencontainers.image.ref.name': parseReference(reference).tag,
    },
  }));
}

function dockerManifest(
  { stored, references, config, layers }: HeldImage,
  images: readonly HeldImage[],
): object {
  const { layers: descriptors } = parseManifest(stored.manifestText, `manifest of ${stored.id}`);
  const diffIds = stored.config.rootfs.diff_ids;
  const isPlain = layers.every(({ digest }, index) => digest === diffIds[index]);
  const parent = images.find((image) => image.stored.id === stored.parent);
  return {
    Config: blobPath(config.digest),
    RepoTags: references.length > 0 ? references : null,
    Layers: layers.map(({ digest }) => blobPath(digest)),
    ...(parent && { Parent: parent.stored.id }),
    // Keyed by diff id, which says nothing about a compressed blob.
    ...(isPlain && {
      LayerSources: Object.fromEntries(
        descriptors.map(({ mediaType, size, digest }) => [digest, { mediaType, size, digest }]),
      ),
    }),
  };
}

/** `busybox:1` as containerd has it. */
function fullName(reference: string): string {
  const { host, path } = splitRepository(parseReference(reference).repository);
  return `${host}/${path}:${parseReference(reference).tag}`;
}

const blobPath = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;
