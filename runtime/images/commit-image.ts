import { readFile } from 'node:fs/promises';
import { HullError } from '../base/errors.ts';
import { architecture } from './architecture.ts';
import type { SpooledBlob } from './blobs.ts';
import { chainIds, type Digest, digestOf } from './digest.ts';
import { parseConfig } from './documents.ts';
import type { ImageReference } from './image-store.ts';
import { formatReference, parseReference } from './reference.ts';
import type { ImageDepot } from './registry/depot.ts';

export interface CommitRequest {
  /** Id of the image that the layer was made upon; undefined for the first upon nothing. */
  readonly parent: string | undefined;
  /** The new layer as a tar: what has changed. Undefined where only the configuration has. */
  readonly changes: AsyncIterable<Uint8Array> | undefined;
  /** In place of `changes`: a blob of the store that is the new layer, and its diff id. */
  readonly layer?: { readonly blob: Digest; readonly diffId: Digest };
  /** Fields of image-spec config.md's `config`, over the parent's; null takes one away. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The container that it is made from, and its command. */
  readonly container: string;
  /** What a build's cache knows the instruction by (`container_config`). */
  readonly containerConfig?: object;
  readonly createdBy: string;
  /** When; default: now. */
  readonly created?: string;
  readonly author: string;
  readonly comment: string;
  readonly reference: ImageReference | undefined;
}

/** Two blocks of zeros: an archive of nothing. */
const emptyLayer = digestOf(Buffer.alloc(1024));

/**
 * Afterwards there is an image with one layer more than its parent (none more where nothing has changed), as `docker commit` makes it; or,
 * on an error or a crash, nothing of it. Answers its id.
 */
export async function commitImage(depot: ImageDepot, request: CommitRequest): Promise<Digest> {
  const { parent, author, comment, createdBy, container, config, reference } = request;
  const name = reference && formatReference(parseReference(formatReference(reference)));
  await using spool = await depot.openSpool();
  const written = request.changes && (await spool.write(request.changes));
  const changed = written?.digest === emptyLayer ? undefined : written;
  const base = parent === undefined ? undefined : await depot.stored(parent);
  const held = async (digest: Digest): Promise<SpooledBlob> => {
    const blob = await depot.hold(digest, spool);
    if (blob) return blob;
    throw new HullError(`Cannot commit: found no blob ${digest} of image ${parent}, wanted it in the store`, {
      kind: 'not-found',
    });
  };
  const [before, ...below] = await Promise.all((base ? [base.id, ...base.layerBlobs] : []).map(held));
  const old = before ? asObject(JSON.parse(await readFile(before.path, 'utf8'))) : {};
  const layer = request.layer ? await held(request.layer.blob) : changed;
  const diffId = request.layer?.diffId ?? layer?.digest;
  const diffIds = base?.config.rootfs.diff_ids ?? [];
  const created = request.created || new Date().toISOString();
  const document = JSON.stringify({
    architecture: architecture(),
    os: 'linux',
    ...withoutOrigin(old),
    ...(author && { author }),
    ...(comment && { comment }),
    config: { ...asObject(old['config']), ...config },
    ...(container && { container }),
    ...(request.containerConfig && { container_config: request.containerConfig }),
    created,
    rootfs: { type: 'layers', diff_ids: [...diffIds, ...(diffId === undefined ? [] : [diffId])] },
    history: [
      ...(base?.config.history ?? assumedHistory(diffIds)),
      {
        created,
        ...(author && { author }),
        created_by: createdBy,
        ...(comment && { comment }),
        ...(!layer && { empty_layer: true }),
      },
    ],
  });
  const configBlob = await spool.write(
    (async function* () {
      yield Buffer.from(document);
    })(),
  );
  await depot.adopt(
    {
      references: name === undefined ? [] : [name],
      config: parseConfig(document, 'the new configuration'),
      configBlob,
      layers: [...below, ...(layer ? [layer] : [])],
      ...(parent !== undefined && { parent }),
    },
    [],
  );
  return configBlob.digest;
}

/** What was said about the parent's own making. */
function withoutOrigin(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const {
    author: _author,
    comment: _comment,
    container: _container,
    container_config: _its,
    ...rest
  } = config;
  return rest;
}

/** A line for each layer, where the parent has no history. */
const assumedHistory = (diffIds: readonly Digest[]): readonly object[] => chainIds(diffIds).map(() => ({}));

const asObject = (value: unknown): Readonly<Record<string, unknown>> => ({ ...Object(value) });
