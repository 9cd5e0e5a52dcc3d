import { gzipSync } from 'node:zlib';
import { digestOf, hexOf } from './digest.ts';
import { mediaTypes } from './documents.ts';
import { type FixtureEntry, tarOf } from './tar-fixture.ts';

/** For tests: a small image and the archives it can come in. */
export interface FixtureImage {
  readonly id: string;
  readonly config: string;
  readonly layers: readonly Buffer[];
}

export async function imageOf(
  layers: readonly (readonly FixtureEntry[])[],
  config: object = { Cmd: ['/bin/sh'], Entrypoint: null },
): Promise<FixtureImage> {
  const tars = await Promise.all(layers.map((entries) => tarOf(entries)));
  const text = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    created: '2026-01-01T00:00:00Z',
    config,
    rootfs: { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar)) },
    history: [{ created_by: 'test' }],
  });
  return { id: digestOf(text), config: text, layers: tars };
}

/** `docker save` up to 24: a folder for each layer; a layer that is there already is a link to the first. */
export async function dockerArchive(image: FixtureImage, ...tags: string[]): Promise<Buffer> {
  const names = image.layers.map((_, index) => `layer-${index}/layer.tar`);
  return tarOf([
    ...image.layers.map((data, index): FixtureEntry => {
      const name = names[index] ?? '';
      const same = image.layers.findIndex((other) => other.equals(data));
      return same === index ? { name, data } : { name, type: 'symlink', linkname: `../${names[same]}` };
    }),
    { name: `${hexOf(image.id)}.json`, data: image.config },
    {
      name: 'manifest.json',
      data: JSON.stringify([
        { Config: `${hexOf(image.id)}.json`, RepoTags: tags.length > 0 ? tags : null, Layers: names },
      ]),
    },
    { name: 'repositories', data: '{}' },
  ]);
}

/** An OCI image layout; with `dockerToo` the manifest.json that `docker save` adds since 25, and plain layers. */
export async function ociArchive(
  image: FixtureImage,
  tag: string,
  dockerToo = false,
  compress: (tar: Buffer) => Buffer = gzipSync,
): Promise<Buffer> {
  const blobs = image.layers.map((tar) => (dockerToo ? tar : compress(tar)));
  const describe = (mediaType: string, data: string | Buffer) => ({
    mediaType,
    digest: digestOf(data),
    size: Buffer.byteLength(data),
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: describe(mediaTypes.config, image.config),
    layers: blobs.map((data) => describe(dockerToo ? mediaTypes.layer : mediaTypes.layerGzip, data)),
  });
  const annotations = { 'org.opencontainers.image.ref.name': tag };
  const index = {
    schemaVersion: 2,
    manifests: [{ ...describe(mediaTypes.manifest, manifest), annotations }],
  };
  const path = (data: string | Buffer) => `blobs/sha256/${hexOf(digestOf(data))}`;
  return tarOf([
    { name: 'blobs/sha256/', type: 'directory' },
    ...[image.config, manifest, ...blobs].map((data) => ({ name: path(data), data })),
    { name: 'index.json', data: JSON.stringify(index) },
    ...(dockerToo
      ? [
          {
            name: 'manifest.json',
            data: JSON.stringify([{ Config: path(image.config), RepoTags: [tag], Layers: blobs.map(path) }]),
          },
        ]
      : []),
    { name: 'oci-layout', data: '{"imageLayoutVersion":"1.0.0"}' },
  ]);
}
