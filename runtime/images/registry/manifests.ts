import { type Digest, digestOf, digestPattern } from '../digest.ts';
import {
  type Descriptor,
  type Index,
  type Manifest,
  mediaTypes,
  parseIndex,
  parseManifest,
} from '../documents.ts';
import { readBody } from './http.ts';
import { choosePlatform, formatPlatform, ownPlatform, type Platform } from './platform.ts';
import { RegistryError } from './registry-error.ts';
import { retrying } from './retrying.ts';
import type { RegistrySession } from './session.ts';

interface Document {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
  /** As it came, byte for byte. */
  readonly text: string;
}
export type RemoteManifest = Document &
  (
    | { readonly kind: 'image'; readonly manifest: Manifest }
    | { readonly kind: 'index'; readonly index: Index }
  );
export type ImageManifest = Extract<RemoteManifest, { readonly kind: 'image' }>;

/** As registries have it. */
const largestManifest = 4 * 1024 * 1024;
const imageTypes: readonly string[] = [mediaTypes.manifest, mediaTypes.dockerManifest];
const indexTypes: readonly string[] = [mediaTypes.index, mediaTypes.dockerList];

export const pullScope = (path: string): readonly string[] => [`repository:${path}:pull`];

/**
 * What a tag or digest names. The digest is computed from the bytes, and must be the one asked for.
 * Kinds `not-found`, `unauthorized`, `unsupported` (schema 1 and other kinds), `invalid`, `unavailable`.
 */
export async function fetchManifest(
  session: RegistrySession,
  path: string,
  reference: string,
): Promise<RemoteManifest> {
  const { data, type, claimed } = await retrying(async () => {
    const answer = await session.expect(
      {
        method: 'GET',
        target: `/v2/${path}/manifests/${reference}`,
        scopes: pullScope(path),
        headers: { Accept: [...indexTypes, ...imageTypes].join(', ') },
      },
      200,
    );
    return {
      data: await readBody(answer, largestManifest, 'a manifest'),
      type: answer.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '',
      claimed: answer.headers['docker-content-digest'],
    };
  }, session);
  const digest = digestOf(data);
  const wanted = digestPattern.test(reference) ? reference : claimed;
  if (typeof wanted === 'string' && digestPattern.test(wanted) && wanted !== digest) {
    throw new RegistryError(`found a manifest with digest ${digest}, wanted ${wanted}`, { kind: 'invalid' });
  }
  return parse(data, digest, type);
}

/** The image for a platform: of an index its best entry. Answers also the digest that was asked for. */
export async function fetchImageManifest(
  session: RegistrySession,
  path: string,
  reference: string,
  platform: Platform = ownPlatform(),
): Promise<{ readonly image: ImageManifest; readonly digest: Digest }> {
  const first = await fetchManifest(session, path, reference);
  let found = first;
  for (let depth = 0; found.kind === 'index'; depth++) {
    if (depth > 2) {
      throw new RegistryError(`found indexes in indexes down to ${found.digest}, wanted an image`, {
        kind: 'invalid',
      });
    }
    const entry = chooseEntry(found.index.manifests, platform);
    found = await fetchManifest(session, path, entry.digest);
    if (found.size !== entry.size) {
      throw new RegistryError(
        `found manifest ${entry.digest} with ${found.size} bytes, wanted ${entry.size} as its index says`,
        { kind: 'invalid' },
      );
    }
  }
  return { image: found, digest: first.digest };
}

function chooseEntry(entries: readonly Descriptor[], platform: Platform): Descriptor {
  const entry = choosePlatform(entries, platform);
  if (entry) return entry;
  const offered = entries.flatMap(({ platform: each }) => (each ? [formatPlatform(each)] : []));
  throw new RegistryError(
    `found images for ${[...new Set(offered)].join(', ') || 'no platform'}, wanted ${formatPlatform(platform)}`,
    { kind: 'not-found' },
  );
}

function parse(data: Buffer, digest: Digest, sentType: string): RemoteManifest {
  const text = data.toString('utf8');
  const from = `manifest ${digest}`;
  const fields = fieldsOf(text, from);
  const inner = typeof fields['mediaType'] === 'string' ? fields['mediaType'] : '';
  const mediaType = [...imageTypes, ...indexTypes].includes(sentType) ? sentType : inner || sentType;
  if (fields['schemaVersion'] === 1 || /docker\.distribution\.manifest\.v1\+/.test(sentType)) {
    throw new RegistryError(
      'found an image manifest of schema 1, wanted schema 2 or an OCI manifest: schema 1 is no longer read, push the image again',
      { kind: 'unsupported' },
    );
  }
  // Two readings of one digest would be two images (OCI image-spec, "manifest confusion").
  if (('layers' in fields || 'config' in fields) && 'manifests' in fields) {
    throw new RegistryError(`found ${from} with both layers and manifests, wanted one of them`, {
      kind: 'invalid',
    });
  }
  if (inner !== '' && inner !== mediaType) {
    throw new RegistryError(`found ${from} sent as ${sentType}, wanted ${inner} as it says itself`, {
      kind: 'invalid',
    });
  }
  const document = { digest, size: data.length, text };
  if (indexTypes.includes(mediaType) || (mediaType === '' && 'manifests' in fields)) {
    const index = parseIndex(text, from);
    return { ...document, kind: 'index', mediaType: mediaType || mediaTypes.index, index };
  }
  if (imageTypes.includes(mediaType) || !/^application\/vnd\./.test(mediaType)) {
    const manifest = parseManifest(text, from);
    const known = imageTypes.includes(mediaType) ? mediaType : mediaTypes.manifest;
    return { ...document, kind: 'image', mediaType: known, manifest };
  }
  throw new RegistryError(`found ${from} of type ${mediaType}, wanted an image or an index of images`, {
    kind: 'unsupported',
  });
}

function fieldsOf(text: string, from: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Told below.
  }
  throw new RegistryError(
    `found ${from} with ${text.length} characters that are no JSON object, wanted one`,
    {
      kind: 'invalid',
    },
  );
}
