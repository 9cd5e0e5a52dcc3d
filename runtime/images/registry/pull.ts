import { readFile } from 'node:fs/promises';
import { HullError } from '../../base/errors.ts';
import type { Spool, SpooledBlob } from '../blobs.ts';
import { type Digest, hexOf } from '../digest.ts';
import { type Descriptor, parseConfig } from '../documents.ts';
import type { ImageConfig } from '../image-store.ts';
import type { ImageDepot } from './depot.ts';
import type { DownloadStep, Downloads } from './downloads.ts';
import { fetchImageManifest, type ImageManifest } from './manifests.ts';
import { fitsPlatform, formatPlatform, type Platform } from './platform.ts';
import { LayerProgress, type ProgressSink } from './progress.ts';
import { RegistryError } from './registry-error.ts';
import { formatRemoteName, type RemoteName } from './remote-name.ts';
import type { RegistrySession } from './session.ts';

export interface PullJob {
  readonly session: RegistrySession;
  readonly depot: ImageDepot;
  readonly downloads: Downloads;
  /** With a tag or a digest. */
  readonly name: RemoteName;
  readonly platform: Platform | undefined;
  readonly progress: ProgressSink;
  /** Ends the session with this error. */
  readonly abort: (reason: unknown) => void;
}

const largestConfig = 32 * 1024 * 1024;
const layerTypes =
  /^application\/vnd\.(?:oci\.image\.layer\.v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.diff\.tar(?:\.gzip|\.zstd)?)$/;

/**
 * Afterwards the image is in the store under its tag and its digest; or, on an error, nothing of it is but the first bytes of blobs for a resume.
 * Answers its id.
 */
export async function pullImage(job: PullJob): Promise<Digest> {
  const { session, depot, name, platform, progress } = job;
  const reference = name.digest ?? name.tag ?? 'latest';
  const { image, digest } = await fetchImageManifest(session, name.path, reference, platform);
  checkDocuments(image);
  progress({ status: `Pulling from ${name.path}`, id: reference });
  const references = name.tag === undefined ? [] : [`${name.repository}:${name.tag}`];
  const repoDigests = [`${name.repository}@${digest}`];
  const id = image.manifest.config.digest;
  const known = depot.entries().find((entry) => entry.id === id);
  if (known) checkPlatform(known.config, platform);
  const isKnown = await depot.addNames(id, image.digest, references, repoDigests);
  if (!isKnown) await bringIn(job, image, references, repoDigests);
  progress({ status: `Digest: ${digest}` });
  const verb = isKnown ? 'Image is up to date for' : 'Downloaded newer image for';
  progress({ status: `Status: ${verb} ${formatRemoteName(name)}` });
  return id;
}

async function bringIn(
  job: PullJob,
  image: ImageManifest,
  references: readonly string[],
  repoDigests: readonly string[],
): Promise<void> {
  const { session, depot, progress, platform } = job;
  const { config: configBlob, layers } = image.manifest;
  await using spool = await depot.openSpool();
  const spooledConfig = await bringBlob(job, spool, configBlob);
  const config = parseConfig(
    await readFile(spooledConfig.path, 'utf8'),
    `image config ${configBlob.digest} of the registry`,
  );
  checkConfig(config, layers, platform);
  const lines = new Map(
    layers.map(({ digest, size }) => [
      digest,
      new LayerProgress(progress, shortId(digest), size, session.timing.progressMs),
    ]),
  );
  const fetched = new Map<Digest, Promise<SpooledBlob>>();
  for (const layer of layers) {
    if (!fetched.has(layer.digest)) {
      fetched.set(layer.digest, bringBlob(job, spool, layer, lines.get(layer.digest)));
    }
  }
  // The first failure ends the others; all are over before the spool goes.
  for (const blob of fetched.values()) blob.catch(job.abort);
  await Promise.allSettled(fetched.values());
  session.signal.throwIfAborted();
  const spooled = await Promise.all(layers.map(({ digest }) => fetched.get(digest)));
  const unpacked = new Map<Digest, number>();
  await depot.adopt(
    {
      references,
      config,
      configBlob: spooledConfig,
      layers: spooled.filter((blob) => blob !== undefined),
      manifest: { text: image.text, mediaType: image.mediaType },
    },
    repoDigests,
    ({ blob, bytes, done }) => {
      const line = lines.get(blob);
      const current = (unpacked.get(blob) ?? 0) + bytes;
      unpacked.set(blob, current);
      if (done) line?.status('Pull complete');
      else line?.bytes('Extracting', current);
    },
  );
}

/** The blob in the spool: held from the store, or fetched. */
async function bringBlob(
  { session, depot, downloads, name }: PullJob,
  spool: Spool,
  blob: Descriptor,
  line?: LayerProgress,
): Promise<SpooledBlob> {
  const held = await depot.hold(blob.digest, spool);
  if (held && held.size === blob.size) {
    line?.status('Already exists');
    return held;
  }
  line?.status('Pulling fs layer');
  const hear = (step: DownloadStep) => {
    if (line) show(line, step);
  };
  return await downloads.fetch(session, name.path, blob, hear, (file) => spool.link(file, blob.digest));
}

function show(line: LayerProgress, step: DownloadStep): void {
  if (step.kind === 'bytes') line.bytes('Downloading', step.current);
  else if (step.kind === 'retry') {
    line.status(`Retrying in ${Math.max(Math.round(step.waitMs / 1000), 1)} seconds`);
  } else line.status(words[step.kind]);
}

const words = {
  waiting: 'Waiting',
  verifying: 'Verifying Checksum',
  done: 'Download complete',
} as const;

function checkDocuments({ manifest: { config, layers } }: ImageManifest): void {
  if (config.size > largestConfig) {
    throw new RegistryError(`found a config of ${config.size} bytes, wanted at most ${largestConfig}`, {
      kind: 'invalid',
    });
  }
  const other = layers.find(({ mediaType }) => !layerTypes.test(mediaType));
  if (!other) return;
  throw new RegistryError(
    `found layer ${other.digest} of type ${other.mediaType}, wanted a tar, plain or by gzip or zstd`,
    { kind: 'unsupported' },
  );
}

function checkConfig(
  config: ImageConfig,
  layers: readonly Descriptor[],
  platform: Platform | undefined,
): void {
  const wanted = config.rootfs.diff_ids.length;
  if (layers.length !== wanted) {
    throw new HullError(
      `Cannot use the image's manifest: found ${layers.length} layers, wanted ${wanted} as the config's diff_ids say`,
      { kind: 'invalid' },
    );
  }
  checkPlatform(config, platform);
}

function checkPlatform(config: ImageConfig, platform: Platform | undefined): void {
  if (!platform || fitsPlatform(config, platform)) return;
  throw new RegistryError(
    `found an image for ${formatPlatform(config)}, wanted ${formatPlatform(platform)}`,
    {
      kind: 'not-found',
    },
  );
}

export const shortId = (digest: Digest): string => hexOf(digest).slice(0, 12);
