import { HullError } from '../../base/errors.ts';
import type { SpooledBlob } from '../blobs.ts';
import type { CatalogueEntry } from '../catalogue.ts';
import { type Digest, digestOf } from '../digest.ts';
import { splitRepository } from '../reference.ts';
import { compressLayers, manifestOf, wantsCompression } from './compress-layers.ts';
import type { ImageDepot } from './depot.ts';
import { LayerProgress, type ProgressSink } from './progress.ts';
import { shortId } from './pull.ts';
import { RegistryError, refusal } from './registry-error.ts';
import type { RemoteName } from './remote-name.ts';
import { retrying } from './retrying.ts';
import type { RegistrySession } from './session.ts';
import type { Slots } from './slots.ts';
import { pushScope, uploadBlob } from './upload-blob.ts';

export interface PushJob {
  readonly session: RegistrySession;
  readonly depot: ImageDepot;
  readonly slots: Slots;
  /** With a tag. */
  readonly name: RemoteName & { readonly tag: string };
  readonly progress: ProgressSink;
  /** Ends the session with this error. */
  readonly abort: (reason: unknown) => void;
}

/**
 * Afterwards the registry has the image under the tag, and the store knows its digest there. What came from a registry goes with its manifest
 * as it came; plain layers are compressed once, and kept so. Kinds as `ImageStore.get` and the session's.
 */
export async function pushImage(job: PushJob): Promise<Digest> {
  const { session, depot, name, progress } = job;
  const local = `${name.repository}:${name.tag}`;
  await using spool = await depot.openSpool();
  const stored = await depot.stored(local);
  let manifest = manifestOf(stored);
  let text = stored.manifestText;
  let { mediaType } = stored.manifest;
  const hold = async (digest: Digest): Promise<SpooledBlob> => {
    const held = await depot.hold(digest, spool);
    if (held) return held;
    throw new HullError(`Cannot push ${local}: found no blob ${digest} in the store, wanted it whole`, {
      kind: 'internal',
    });
  };
  const config = await hold(stored.id);
  let layers: readonly SpooledBlob[] = await Promise.all(manifest.layers.map(({ digest }) => hold(digest)));
  for (const { digest } of layers) progress({ status: 'Preparing', progressDetail: {}, id: shortId(digest) });
  if (wantsCompression(stored, manifest)) {
    const smaller = await compressLayers(stored, manifest, { config, layers }, spool, session.signal);
    const kept = await Promise.all(
      [smaller.configBlob, ...smaller.layers].map(({ path, digest }) => spool.link(path, digest)),
    );
    const [keptConfig, ...keptLayers] = kept;
    if (keptConfig) await depot.adopt({ ...smaller, configBlob: keptConfig, layers: keptLayers }, []);
    layers = smaller.layers;
    ({ text, mediaType } = smaller.manifest);
    manifest = manifestOf({ ...stored, manifestText: text });
  }
  const unique = new Map(layers.map((layer) => [layer.digest, layer]));
  const uploads = [...unique.values()].map((layer) => job.slots.run(() => pushLayer(job, layer)));
  for (const upload of uploads) upload.catch(job.abort);
  await Promise.allSettled(uploads);
  session.signal.throwIfAborted();
  await uploadBlob({ session, path: name.path, blob: config, mountFrom: [] });
  const digest = await putManifest(job, text, mediaType);
  const entry = await depot.stored(local);
  await depot.addNames(stored.id, entry.manifest.digest, [], [`${name.repository}@${digest}`]);
  const size = Buffer.byteLength(text);
  progress({ status: `${name.tag}: digest: ${digest} size: ${size}` });
  progress({ progressDetail: {}, aux: { Tag: name.tag, Digest: digest, Size: size } });
  return digest;
}

async function pushLayer({ session, depot, name, progress }: PushJob, blob: SpooledBlob): Promise<void> {
  session.signal.throwIfAborted();
  const line = new LayerProgress(progress, shortId(blob.digest), blob.size, session.timing.progressMs);
  const result = await uploadBlob({
    session,
    path: name.path,
    blob,
    mountFrom: sources(depot.entries(), name, blob.digest),
    onBytes: (current) => line.bytes('Pushing', current),
    onRetry: (waitMs) => line.status(`Retrying in ${Math.max(Math.round(waitMs / 1000), 1)} seconds`),
  });
  if (result.kind === 'mounted') line.status(`Mounted from ${result.from}`);
  else line.status(result.kind === 'exists' ? 'Layer already exists' : 'Pushed');
}

/** Other repositories of the registry that an image with this layer came from, or went to. */
function sources(entries: readonly CatalogueEntry[], { host, path }: RemoteName, layer: Digest): string[] {
  const names = entries
    .filter(({ layerBlobs }) => layerBlobs.includes(layer))
    .flatMap(({ repoDigests }) =>
      repoDigests.map((name) => splitRepository(name.slice(0, name.indexOf('@')))),
    );
  return [
    ...new Set(names.filter((name) => name.host === host && name.path !== path).map((name) => name.path)),
  ];
}

async function putManifest({ session, name }: PushJob, text: string, mediaType: string): Promise<Digest> {
  const data = Buffer.from(text, 'utf8');
  const answer = await retrying(async () => {
    const put = await session.send({
      method: 'PUT',
      target: `/v2/${name.path}/manifests/${name.tag}`,
      scopes: pushScope(name.path),
      headers: { 'Content-Type': mediaType },
      body: {
        length: data.length,
        async *open() {
          yield data;
        },
      },
    });
    if (put.status === 201) return put;
    throw await refusal(put, '201 for the manifest');
  }, session);
  answer.body.destroy();
  const wanted = digestOf(data);
  const found = answer.headers['docker-content-digest'];
  if (typeof found === 'string' && found !== wanted) {
    throw new RegistryError(`found the manifest stored as ${found}, wanted ${wanted}`, { kind: 'invalid' });
  }
  return wanted;
}
