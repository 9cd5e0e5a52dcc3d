import { readFile } from 'node:fs/promises';
import { HullError } from '../base/errors.ts';
import { architecture } from './architecture.ts';
import type { Spool, SpooledBlob } from './blobs.ts';
import { decompress } from './decompress.ts';
import { type Digest, digestOf, digestPattern, expectDigest, hexOf } from './digest.ts';
import {
  type Descriptor,
  mediaTypes,
  parseConfig,
  parseDockerManifest,
  parseIndex,
  parseManifest,
} from './documents.ts';
import type { ImageConfig } from './image-store.ts';
import { plainLayer } from './plain-layer.ts';
import { readLegacy } from './read-legacy.ts';
import { insideRoot } from './root-paths.ts';
import { showName } from './tar-header.ts';
import { readTar } from './tar-reader.ts';

/** One image found in an archive: its parts are spooled and agree with each other. */
export interface ArchivedImage {
  /** As the archive writes them. */
  readonly references: readonly string[];
  readonly config: ImageConfig;
  readonly configBlob: SpooledBlob;
  /** As a registry has it, to be kept as it is; without one it is made. */
  readonly manifest?: { readonly text: string; readonly mediaType: string };
  /** The image that it was made upon. Where that one is here, its layers are not read again. */
  readonly parent?: Digest;
  /** One for each diff id of the config, the lowest first. */
  readonly layers: readonly SpooledBlob[];
}

/** Files of an archive by name, links followed. */
interface Files {
  (name: string): SpooledBlob | undefined;
  readonly names: readonly string[];
}

/**
 * Reads what `docker save` (with blobs, or a folder per layer, with manifest.json or only `repositories`) and OCI layouts in a tar hold.
 * @throws HullError `invalid` naming the file, what it has and what was wanted.
 */
export async function readArchive(
  archive: AsyncIterable<Uint8Array>,
  spool: Spool,
): Promise<readonly ArchivedImage[]> {
  const images = await readImages(await spoolFiles(archive, spool), spool);
  return await Promise.all(images.map((image) => withUsualLayers(image, spool)));
}

async function readImages(files: Files, spool: Spool): Promise<readonly ArchivedImage[]> {
  const manifest = files('manifest.json');
  if (manifest) return readDockerArchive(await text(manifest), files);
  const index = files('index.json');
  if (index) return readLayout(await text(index), files);
  const legacy = await readLegacy({ names: files.names, file: files, text }, spool);
  if (legacy) return legacy;
  throw invalid(
    'found neither manifest.json nor index.json in it, wanted what "docker save" writes or an OCI image layout',
  );
}

/** The image specification has no name for layers by bzip2 and xz, and no registry takes them: those are kept as plain ones. */
async function withUsualLayers(image: ArchivedImage, spool: Spool): Promise<ArchivedImage> {
  const layers: SpooledBlob[] = [];
  for (const layer of image.layers) layers.push(await plainLayer(layer, spool, ['none', 'gzip', 'zstd']));
  return { ...image, layers };
}

async function spoolFiles(archive: AsyncIterable<Uint8Array>, spool: Spool): Promise<Files> {
  const files = new Map<string, SpooledBlob>();
  const links = new Map<string, string>();
  for await (const entry of readTar(decompress(archive))) {
    const name = insideRoot(entry.name, 'the archive');
    // As in any archive, the later of two entries with one name holds.
    files.delete(name);
    links.delete(name);
    if (entry.type === 'file') files.set(name, await spool.write(entry.body()));
    // `docker save` once wrote a layer that two images share as a link to the other's.
    if (entry.type === 'symlink')
      links.set(name, insideRoot(`${name}/../${entry.linkName}`, `link ${showName(name)}`));
    if (entry.type === 'link') links.set(name, insideRoot(entry.linkName, `link ${showName(name)}`));
  }
  const find = (name: string) => {
    let target: string | undefined = insideRoot(name, 'the archive');
    for (let hops = 0; target !== undefined && hops < 10; hops++) {
      const file = files.get(target);
      if (file) return file;
      target = links.get(target);
    }
    return undefined;
  };
  return Object.assign(find, { names: [...files.keys(), ...links.keys()] });
}

async function readDockerArchive(manifest: string, files: Files): Promise<readonly ArchivedImage[]> {
  return Promise.all(
    parseDockerManifest(manifest, 'manifest.json of the archive').map(async (image) => {
      const configBlob = need(files, image.Config);
      const named = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(image.Config)?.[1];
      if (named) expectDigest(`image config ${image.Config}`, configBlob.digest, `sha256:${named}`);
      const layers = (image.Layers ?? []).map((name) => {
        const blob = need(files, name);
        const digest = /(?:^|\/)blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1];
        if (digest) expectDigest(`layer ${name}`, blob.digest, `sha256:${digest}`);
        return blob;
      });
      const assembled = await assemble(image.RepoTags ?? [], configBlob, layers, image.Config);
      return image.Parent === undefined ? assembled : { ...assembled, parent: image.Parent };
    }),
  );
}

async function readLayout(index: string, files: Files): Promise<readonly ArchivedImage[]> {
  const found = parseIndex(index, 'index.json of the archive').manifests;
  if (found.length === 0) throw invalid('found no image in its index.json, wanted at least one');
  const byConfig = new Map<Digest, ArchivedImage>();
  for (const descriptor of found) {
    const image = await readDescriptor(descriptor, files);
    const reference = referenceOf(descriptor);
    const known = byConfig.get(image.configBlob.digest);
    const references = [...(known?.references ?? []), ...(reference ? [reference] : [])];
    byConfig.set(image.configBlob.digest, { ...image, references });
  }
  return [...byConfig.values()];
}

async function readDescriptor(descriptor: Descriptor, files: Files): Promise<ArchivedImage> {
  const document = await text(blobOf(descriptor, files));
  if (descriptor.mediaType === mediaTypes.index || descriptor.mediaType.endsWith('manifest.list.v2+json')) {
    const choices = parseIndex(document, `image index ${descriptor.digest}`).manifests;
    const mine = choices.find(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture(),
    );
    if (mine) return readDescriptor(mine, files);
    const platforms = choices.map(({ platform }) => `${platform?.os}/${platform?.architecture}`).join(', ');
    throw invalid(`found images for ${platforms || 'no platform'}, wanted linux/${architecture()}`);
  }
  const manifest = parseManifest(document, `image manifest ${descriptor.digest}`);
  const layers = manifest.layers.map((layer) => blobOf(layer, files));
  return assemble([], blobOf(manifest.config, files), layers, manifest.config.digest);
}

function blobOf({ digest, size }: Descriptor, files: Files): SpooledBlob {
  const blob = need(files, `blobs/sha256/${hexOf(digest)}`);
  expectDigest(`blob ${digest} of the archive`, blob.digest, digest);
  if (blob.size !== size)
    throw invalid(`found blob ${digest} with ${blob.size} bytes, wanted ${size} as its descriptor says`);
  return blob;
}

async function assemble(
  references: readonly string[],
  configBlob: SpooledBlob,
  layers: readonly SpooledBlob[],
  name: string,
): Promise<ArchivedImage> {
  const config = parseConfig(await text(configBlob), `image config ${name}`);
  const wanted = config.rootfs.diff_ids.length;
  if (layers.length !== wanted) {
    throw invalid(
      `found ${layers.length} layers for image config ${name}, wanted ${wanted} as its diff_ids say`,
    );
  }
  return { references, config, configBlob, layers };
}

function need(files: Files, name: string): SpooledBlob {
  const file = files(name);
  if (file) return file;
  throw invalid(`found no file ${JSON.stringify(name)} in it, wanted it as its manifest names it`);
}

/** A JSON document; a larger one than any real is refused before it is read. */
async function text({ path, size, digest }: SpooledBlob): Promise<string> {
  const largest = 32 * 1024 * 1024;
  if (size > largest) throw invalid(`found a document of ${size} bytes, wanted at most ${largest}`);
  const data = await readFile(path);
  expectDigest('a spooled document', digestOf(data), digest);
  return data.toString('utf8');
}

/** containerd's annotation has the whole name, OCI's often only the tag: then there is no name. */
function referenceOf({ annotations }: Descriptor): string | undefined {
  const name =
    annotations?.['io.containerd.image.name'] ?? annotations?.['org.opencontainers.image.ref.name'];
  return name && /[:/]/.test(name) && !digestPattern.test(name) ? name : undefined;
}

const invalid = (reason: string): HullError =>
  new HullError(`Cannot load the image archive: ${reason}`, { kind: 'invalid' });
