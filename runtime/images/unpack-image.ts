import { HullError } from '../base/errors.ts';
import type { Blobs } from './blobs.ts';
import type { CatalogueEntry } from './catalogue.ts';
import { chainIds } from './digest.ts';
import type { Layers } from './layers.ts';
import type { UnpackListener } from './registry/depot.ts';

export interface UnpackOptions {
  readonly listener?: UnpackListener | undefined;
  /** How many layers from below need no check: they are those of an image that is here. Default 0. */
  readonly trusted?: number;
}

/** Afterwards all layers of the image are there and whole. */
export async function unpackImage(
  { blobs, layers }: { readonly blobs: Blobs; readonly layers: Layers },
  { config, layerBlobs }: CatalogueEntry,
  { listener, trusted = 0 }: UnpackOptions = {},
): Promise<void> {
  const diffIds = config.rootfs.diff_ids;
  const chain = chainIds(diffIds);
  for (const [index, chainId] of chain.entries()) {
    const [diffId, blob] = [diffIds[index], layerBlobs[index]];
    if (diffId === undefined || blob === undefined) {
      throw new HullError(
        `Cannot unpack layer ${index}: found ${layerBlobs.length} blobs, wanted ${chain.length}`,
        { kind: 'invalid' },
      );
    }
    if (index < trusted && (await layers.sizeOf(chainId)) !== undefined) continue;
    await layers.unpack({
      chainId,
      diffId,
      parent: chain[index - 1],
      blob: () => heard(blobs.stream(blob), (bytes) => listener?.({ blob, bytes, done: false })),
    });
    listener?.({ blob, bytes: 0, done: true });
  }
}

async function* heard(
  source: AsyncIterable<Uint8Array>,
  hear: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    hear(chunk.byteLength);
    yield chunk;
  }
}
