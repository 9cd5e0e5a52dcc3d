import type { Readable } from 'node:stream';

/**
 * # Images
 *
 * Content-addressed (OCI image layout on disk): blobs by digest, an index of names. An image's layers are unpacked once
 * each into the storage driver, under the chain id of image-spec config.md ("Layer ChainID"); a container's own
 * layer is a child of the image's topmost one. Nothing half-made is ever visible: a blob is renamed into place when
 * its digest is right, a layer is recorded when it is whole, a name is written last.
 */
export interface ImageStore {
  /** docker-archive (manifest.json) or OCI layout, plain or compressed. Yields one line of progress each; the last names what was loaded. */
  load(archive: Readable): AsyncIterable<ImageProgress>;
  /** A root file system tar becomes a one-layer image. Answers the image id. */
  import(
    archive: Readable,
    reference: ImageReference | undefined,
    changes: ImageConfigChanges,
  ): Promise<string>;
  list(): Promise<readonly Image[]>;
  /** By reference (`busybox`, `busybox:latest`, `name@sha256:…`), full id, or unambiguous id prefix. Kinds not-found, invalid, conflict (ambiguous). */
  get(nameOrId: string): Promise<Image>;
  tag(nameOrId: string, reference: ImageReference): Promise<void>;
  /**
   * Afterwards the name is gone, and with its last name the image, the layers only it used, and those of its parents that have no name,
   * child or user (`keepParents` leaves them). Layers that stopped containers have stay until `sweep`. Kind conflict where a container runs
   * or others are made upon it; without `force` also where a container is stopped.
   */
  remove(nameOrId: string, options: ImageRemovalOptions): Promise<readonly ImageRemoval[]>;
  /** Afterwards no layer is there that neither an image nor a container needs. Quick where a removal has left none. */
  sweep(): Promise<void>;
  /** At start: undoes what a crash left half-made; answers what it did. */
  reconcile(): Promise<readonly string[]>;
}

export interface ImageRemovalOptions {
  readonly force: boolean;
  /** Image id → containers made from it. */
  readonly usedBy: ReadonlyMap<string, readonly ImageUser[]>;
  readonly keepParents?: boolean;
}

/** A container. */
export interface ImageUser {
  readonly id: string;
  readonly isRunning: boolean;
}

export interface Image {
  /** `sha256:…` of the config. */
  readonly id: string;
  readonly tags: readonly string[];
  /** `repository@sha256:…`: what registries call it. */
  readonly repoDigests: readonly string[];
  readonly config: ImageConfig;
  /** The image that it was made upon here, where that one is still here. */
  readonly parent: string | undefined;
  /** The lowest first. */
  readonly layers: readonly ImageLayer[];
  /** Content bytes of all layers. */
  readonly size: number;
  readonly createdAt: string;
  /** The storage driver's layer that a container's layer is made upon. */
  readonly topLayer: string | undefined;
}

export interface ImageLayer {
  /** Images with the same one share it, and all below it. */
  readonly chainId: string;
  /** Content bytes. */
  readonly size: number;
}

/** image-spec config.md; the fields a container is made from. */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly created?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly config?: {
    readonly User?: string;
    readonly Env?: readonly string[];
    readonly Entrypoint?: readonly string[];
    readonly Cmd?: readonly string[];
    readonly WorkingDir?: string;
    readonly StopSignal?: string;
    readonly Labels?: Readonly<Record<string, string>>;
    readonly ExposedPorts?: Readonly<Record<string, object>>;
    readonly Volumes?: Readonly<Record<string, object>>;
  };
  /** What Docker's classic builder, or ours, made it by: the layer cache compares it. */
  readonly container_config?: object;
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly string[] };
  readonly history?: readonly Readonly<Record<string, unknown>>[];
}

export type ImageConfigChanges = NonNullable<ImageConfig['config']>;

export interface ImageReference {
  readonly repository: string;
  readonly tag: string;
}

export interface ImageProgress {
  readonly status?: string;
  readonly stream?: string;
  readonly id?: string;
}

export type ImageRemoval = { readonly untagged: string } | { readonly deleted: string };
