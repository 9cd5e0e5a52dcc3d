import { createReadStream } from 'node:fs';
import { createGzip } from 'node:zlib';
import type { Spool, SpooledBlob } from '../blobs.ts';
import { type Manifest, mediaTypes, parseManifest } from '../documents.ts';
import type { ArchivedImage } from '../read-archive.ts';
import { transformed } from '../transformed.ts';
import type { StoredImage } from './depot.ts';

const plainTypes: readonly string[] = [mediaTypes.layer, 'application/vnd.docker.image.rootfs.diff.tar'];

/** Whether a push would send layers that were never compressed. What came from a registry goes back as it came. */
export function wantsCompression({ repoDigests }: StoredImage, manifest: Manifest): boolean {
  return repoDigests.length === 0 && manifest.layers.some(({ mediaType }) => plainTypes.includes(mediaType));
}

/**
 * The same image (same config, same id) with its plain layers by gzip, and the manifest of that. The bytes are the same each time, so a layer
 * is known again by a registry that has it.
 */
export async function compressLayers(
  stored: StoredImage,
  manifest: Manifest,
  held: { readonly config: SpooledBlob; readonly layers: readonly SpooledBlob[] },
  spool: Spool,
  signal: AbortSignal,
): Promise<ArchivedImage & { readonly manifest: { readonly text: string; readonly mediaType: string } }> {
  const layers: SpooledBlob[] = [];
  const descriptors: object[] = [];
  for (const [index, layer] of held.layers.entries()) {
    const before = manifest.layers[index];
    const isPlain = before !== undefined && plainTypes.includes(before.mediaType);
    const blob = isPlain ? await spool.write(gzip(layer.path, signal)) : layer;
    layers.push(blob);
    const mediaType = isPlain ? mediaTypes.layerGzip : before?.mediaType;
    descriptors.push({ mediaType, digest: blob.digest, size: blob.size });
  }
  const mediaType = mediaTypes.manifest;
  const text = JSON.stringify({ schemaVersion: 2, mediaType, config: manifest.config, layers: descriptors });
  return {
    references: [],
    config: stored.config,
    configBlob: held.config,
    layers,
    manifest: { text, mediaType },
  };
}

function gzip(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const gzipped = createGzip({ chunkSize: 128 * 1024 });
  return transformed(createReadStream(path, { highWaterMark: 256 * 1024 }), gzipped, signal);
}

export const manifestOf = (stored: StoredImage): Manifest =>
  parseManifest(stored.manifestText, `manifest of image ${stored.id}`);
