import { readFile } from 'node:fs/promises';
import { HullError } from '../base/errors.ts';
import type { SpooledBlob } from './blobs.ts';
import { chainIds, type Digest, digestOf } from './digest.ts';
import { parseConfig } from './documents.ts';
import type { ImageReference } from './image-store.ts';
import { architecture } from './read-archive.ts';
import { formatReference, parseReference } from './reference.ts';
import type { ImageDepot } from './registry/depot.ts';

export interface CommitRequest {
  /** Id of the image that the layer was made upon. */
  readonly parent: string;
  /** The new layer as a tar: what has changed. */
  readonly changes: AsyncIterable<Uint8Array>;
  /** Fields of image-spec config.md's `config`, over the parent's; null takes one away. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The container that it is made from, and its command. */
  readonly container: string;
  readonly createdBy: string;
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
  const layer = await spool.write(request.changes);
  const isEmpty = layer.digest === emptyLayer;
  const base = await depot.stored(parent);
  const held = async (digest: Digest): Promise<SpooledBlob> => {
    const blob = await depot.hold(digest, spool);
    if (blob) return blob;
    throw new HullError(`Cannot commit: found no blob ${digest} of image ${parent}, wanted it in the store`, {
      kind: 'not-found',
    });
  };
  const [before, ...below] = await Promise.all([parent, ...base.layerBlobs].map(held));
  const old = asObject(JSON.parse(await readFile(before?.path ?? '', 'utf8')));
  const { rootfs } = base.config;
  const created = new Date().toISOString();
  const document = JSON.stringify({
    architecture: architecture(),
    os: 'linux',
    ...withoutOrigin(old),
    ...(author && { author }),
    ...(comment && { comment }),
    config: { ...asObject(old['config']), ...config },
    container,
    created,
    rootfs: { type: 'layers', diff_ids: [...rootfs.diff_ids, ...(isEmpty ? [] : [layer.digest])] },
    history: [
      ...(base.config.history ?? assumedHistory(rootfs.diff_ids)),
      {
        created,
        ...(author && { author }),
        created_by: createdBy,
        ...(comment && { comment }),
        ...(isEmpty && { empty_layer: true }),
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
      layers: [...below, ...(isEmpty ? [] : [layer])],
      parent,
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
