import type { HullError } from '../base/errors.ts';
import type { Blobs } from './blobs.ts';
import type { CatalogueEntry } from './catalogue.ts';
import { chainIds, type Digest } from './digest.ts';
import type { Layers } from './layers.ts';

/** Removes layers that no image names; those that somebody holds stay until the next sweep. */
export async function sweepLayers(
  layers: Layers,
  entries: readonly CatalogueEntry[],
): Promise<{ readonly gone: readonly Digest[]; readonly kept: readonly HullError[] }> {
  const wanted = new Set(entries.flatMap(({ config }) => chainIds(config.rootfs.diff_ids)));
  const gone: Digest[] = [];
  const kept: HullError[] = [];
  for (const chainId of await layers.childrenFirst()) {
    if (wanted.has(chainId)) continue;
    const reason = await layers.tryRemove(chainId);
    if (reason) kept.push(reason);
    else gone.push(chainId);
  }
  return { gone, kept };
}

/** Removes blobs that no image names. */
export async function sweepBlobs(
  blobs: Blobs,
  entries: readonly CatalogueEntry[],
): Promise<readonly string[]> {
  return blobs.sweep(
    new Set(entries.flatMap(({ id, manifest, layerBlobs }) => [id, manifest.digest, ...layerBlobs])),
  );
}
