import { createCipheriv, hash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { directory, file, type ImageEntry, packImage } from '../../harness/images/pack-image.ts';
import { buildTestImage } from '../../harness/images/test-image.ts';
import type { World } from './world.ts';

export const smallImage = 'bench/small:latest';
export const payloadImage = 'bench/payload:latest';

/** Of the payload image: what a machine takes in a second, and what an emulated guest takes in some. */
export const payloadMiB = { here: 36, guest: 4 };

/** In the payload image, `/payload`: of 36 MiB 32 files of 1 MiB and 500 of 8 KiB, of others as many for each MiB. Does not compress. */
function payloadFiles(mebibytes: number) {
  return [
    { files: Math.round((mebibytes * 32) / 36), bytes: 2 ** 20 },
    { files: Math.round((mebibytes * 500) / 36), bytes: 2 ** 13 },
  ];
}

export function payloadBytes(mebibytes: number): number {
  return payloadFiles(mebibytes).reduce((sum, { files, bytes }) => sum + files * bytes, 0);
}

/** busybox with all its applets. */
export function smallArchive(world: World): Promise<Uint8Array> {
  return world.once('small image', async () => (await buildTestImage({ reference: smallImage })).archive);
}

export async function payloadArchive(world: World): Promise<Uint8Array> {
  return (await packedPayload(world)).archive;
}

function packedPayload(world: World) {
  return world.once('payload image', async () => packImage([await payloadTree(world.payload)], payloadImage));
}

async function payloadTree(mebibytes: number): Promise<ImageEntry[]> {
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  const files = payloadFiles(mebibytes).flatMap(({ files, bytes }) =>
    Array.from({ length: files }, (_, index) =>
      file(`payload/${bytes}-${index}`, noise.update(Buffer.alloc(bytes))),
    ),
  );
  const busybox = await readFile('/bin/busybox');
  const places = ['bin', 'dev', 'etc', 'proc', 'sys', 'payload'].map((name) => directory(name));
  return [...places, file('bin/busybox', busybox, 0o755), ...files];
}

export function depthImage(depth: number): string {
  return `bench/depth-${depth}:latest`;
}

/** An image of that many layers: 256 files of 4 KiB in the lowest, one small file in each other. */
export function depthArchive(world: World, depth: number): Promise<Uint8Array> {
  return world.once(depthImage(depth), async () => {
    const places = ['dev', 'etc', 'proc', 'sys', 'files'].map((name) => directory(name));
    const files = Array.from({ length: 256 }, (_, index) =>
      file(`files/${index}`, Buffer.alloc(4096, index)),
    );
    const upper = Array.from({ length: depth - 1 }, (_, index) => [file(`layer-${index + 2}`, `${depth}\n`)]);
    return (await packImage([[...places, ...files], ...upper], depthImage(depth))).archive;
  });
}

/** The payload image as an OCI layout with an uncompressed layer, tag `latest`: what umoci reads. */
export function payloadLayout(world: World): Promise<string> {
  return world.once('payload layout', async () => {
    const { config, id, diffIds, layers } = await packedPayload(world);
    const folder = await world.makeFolder('layout');
    const blobs = join(folder, 'blobs/sha256');
    await mkdir(blobs, { recursive: true });
    const put = async (digest: string, data: string | Uint8Array, mediaType: string) => {
      await writeFile(join(blobs, digest.slice('sha256:'.length)), data);
      return { mediaType, digest, size: Buffer.byteLength(data) };
    };
    const type = (name: string) => `application/vnd.oci.image.${name}`;
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: type('manifest.v1+json'),
      config: await put(id, config, type('config.v1+json')),
      layers: await Promise.all(
        layers.map((layer, index) => put(diffIds[index] ?? '', layer, type('layer.v1.tar'))),
      ),
    });
    const described = await put(`sha256:${hash('sha256', manifest)}`, manifest, type('manifest.v1+json'));
    const index = [{ ...described, annotations: { 'org.opencontainers.image.ref.name': 'latest' } }];
    await writeFile(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: index }));
    await writeFile(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    return folder;
  });
}
