import type { Spool, SpooledBlob } from '../blobs.ts';
import type { CatalogueEntry } from '../catalogue.ts';
import type { Digest } from '../digest.ts';
import type { ArchivedImage } from '../read-archive.ts';

/** What pull and push need of the image store. */
export interface ImageDepot {
  /** A folder for what is being brought in; it is gone, with all that was not adopted, when it is disposed. */
  openSpool(): Promise<Spool>;
  /** A stored blob under a second name, safe from removals until the spool goes; undefined where the store has none. */
  hold(digest: Digest, spool: Spool): Promise<SpooledBlob | undefined>;
  /**
   * Afterwards the image is there, unpacked, under its references and `repository@sha256:…` names, with this manifest; or, on an error,
   * nothing of it is. Kind `invalid` where a layer is not what the config's diff ids promise.
   */
  adopt(image: ArchivedImage, repoDigests: readonly string[], listener?: UnpackListener): Promise<void>;
  /** Further names for an image that is there with this very manifest; false, and nothing done, where it is not. */
  addNames(
    id: Digest,
    manifest: Digest,
    references: readonly string[],
    repoDigests: readonly string[],
  ): Promise<boolean>;
  /** Kinds as `ImageStore.get`. */
  stored(nameOrId: string): Promise<StoredImage>;
  entries(): readonly CatalogueEntry[];
}

export interface StoredImage extends CatalogueEntry {
  readonly manifestText: string;
}

/** Hears how many more bytes of a layer's blob are unpacked, and when the layer is there. */
export type UnpackListener = (step: {
  readonly blob: Digest;
  readonly bytes: number;
  readonly done: boolean;
}) => void;
