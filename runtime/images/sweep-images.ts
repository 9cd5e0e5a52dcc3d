import type { HullError } from '../base/errors.ts';
import type { Blobs } from './blobs.ts';
import type { CatalogueEntry } from './catalogue.ts';
import { chainIds, type Digest } from './digest.ts';
import type { Layers } from './layers.ts';

export interface SweptLayers {
  readonly gone: readonly Digest[];
  /** Why others that no image names are still there. */
  readonly kept: readonly HullError[];
  /** Why one stays that is none of those that containers are known to have. */
  readonly unexplained: HullError | undefined;
}

/** Removes what no image names. Layers that somebody holds stay until a later sweep. */
export class Sweeper {
  readonly #blobs: Blobs;
  readonly #layers: Layers;
  readonly #entries: () => readonly CatalogueEntry[];
  #held: ReadonlySet<Digest> = new Set();

  constructor(blobs: Blobs, layers: Layers, entries: () => readonly CatalogueEntry[]) {
    this.#blobs = blobs;
    this.#layers = layers;
    this.#entries = entries;
  }

  /** Whether the last sweep had to leave layers. */
  get isUnfinished(): boolean {
    return this.#held.size > 0;
  }

  /** `had`: layers that containers have from now on without their image. */
  async sweepLayers(had: readonly Digest[] = []): Promise<SweptLayers> {
    const wanted = new Set(this.#entries().flatMap(({ config }) => chainIds(config.rootfs.diff_ids)));
    const known = new Set([...this.#held, ...had]);
    const gone: Digest[] = [];
    const kept = new Map<Digest, HullError>();
    for (const chainId of await this.#layers.childrenFirst()) {
      if (wanted.has(chainId)) continue;
      const reason = await this.#layers.tryRemove(chainId);
      if (reason) kept.set(chainId, reason);
      else gone.push(chainId);
    }
    this.#held = new Set(kept.keys());
    const odd = [...kept].find(([chainId, { kind }]) => kind === 'busy' || !known.has(chainId));
    return { gone, kept: [...kept.values()], unexplained: odd?.[1] };
  }

  /** Answers their names. */
  async sweepBlobs(): Promise<readonly string[]> {
    const wanted = this.#entries().flatMap(({ id, manifest, layerBlobs }) => [
      id,
      manifest.digest,
      ...layerBlobs,
    ]);
    return this.#blobs.sweep(new Set(wanted));
  }
}
