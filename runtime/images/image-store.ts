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
  /** Afterwards the name is gone, and with its last name the image and the layers only it used. Kind conflict where `usedBy` has it. */
  remove(
    nameOrId: string,
    options: { readonly force: boolean; readonly usedBy: ReadonlyMap<string, readonly string[]> },
  ): Promise<readonly ImageRemoval[]>;
  /** At start: undoes what a crash left half-made; answers what it did. */
  reconcile(): Promise<readonly string[]>;
}

export interface Image {
  /** `sha256:…` of the config. */
  readonly id: string;
  readonly tags: readonly string[];
  /** `repository@sha256:…`: what registries call it. */
  readonly repoDigests: readonly string[];
  readonly config: ImageConfig;
  readonly size: number;
  readonly createdAt: string;
  /** The storage driver's layer that a container's layer is made upon. */
  readonly topLayer: string | undefined;
}

/** image-spec config.md; the fields a container is made from. */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly created?: string;
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
