import { HullError } from '../base/errors.ts';
import type { Blobs, SpooledBlob } from './blobs.ts';
import type { CatalogueEntry } from './catalogue.ts';
import type { CatalogueEntries } from './catalogue-entries.ts';
import { type Compression, compressionOf } from './decompress.ts';
import { mediaTypes } from './documents.ts';
import type { ArchivedImage } from './read-archive.ts';

/** What the catalogue says of an image whose blobs are kept: with the manifest that it came with, else one that is made for it. */
export async function describeImage(
  blobs: Blobs,
  image: ArchivedImage,
  known: CatalogueEntries,
): Promise<CatalogueEntry> {
  const { config, configBlob, layers } = image;
  const { text, mediaType } = image.manifest ?? (await makeManifest(blobs, image));
  const manifest = { mediaType, ...(await blobs.put(text)) };
  const layerBlobs = layers.map(({ digest }) => digest);
  const id = configBlob.digest;
  const parent = image.parent ?? known.get(id)?.parent;
  const made = { id, manifest, config, layerBlobs, references: [], repoDigests: [] };
  return parent === undefined || parent === id ? made : { ...made, parent };
}

async function makeManifest(
  blobs: Blobs,
  { configBlob, layers }: ArchivedImage,
): Promise<{ readonly text: string; readonly mediaType: string }> {
  const descriptors = await Promise.all(layers.map((layer) => describeLayer(blobs, layer)));
  const mediaType = mediaTypes.manifest;
  const config = { mediaType: mediaTypes.config, digest: configBlob.digest, size: configBlob.size };
  return { text: JSON.stringify({ schemaVersion: 2, mediaType, config, layers: descriptors }), mediaType };
}

async function describeLayer(blobs: Blobs, { digest, size }: SpooledBlob): Promise<object> {
  for await (const chunk of blobs.stream(digest)) {
    return { mediaType: layerType(compressionOf(Buffer.from(chunk))), digest, size };
  }
  return { mediaType: mediaTypes.layer, digest, size };
}

function layerType(compression: Compression): string {
  switch (compression) {
    case 'none':
      return mediaTypes.layer;
    case 'gzip':
      return mediaTypes.layerGzip;
    case 'zstd':
      return mediaTypes.layerZstd;
    default:
      // No registry would take it, and image-spec has no name for it.
      throw new HullError(
        `Cannot keep a layer compressed by ${compression}: wanted gzip, zstd or no compression`,
        { kind: 'unsupported' },
      );
  }
}
