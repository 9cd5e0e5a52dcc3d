import { createHash } from 'node:crypto';
import { pack } from 'tar-stream';

/** One member of a layer's tar. Its time is 0, its owner root unless `uid` says otherwise. */
export interface ImageEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'link';
  readonly mode: number;
  readonly data?: string | Uint8Array;
  readonly linkname?: string;
  readonly uid?: number;
}

export interface PackedImage {
  /** A docker-archive (manifest.json, config, one tar per layer), uncompressed. */
  readonly archive: Uint8Array;
  /** `sha256:…` of the config: what an engine must answer as the image's id. */
  readonly id: string;
  readonly diffIds: readonly string[];
  readonly config: string;
  /** The layers' tars, lowest first. */
  readonly layers: readonly Uint8Array[];
}

/** Packs trees, lowest layer first, as an image of that name. The same trees give the same digests. */
export async function packImage(
  trees: readonly (readonly ImageEntry[])[],
  reference: string,
): Promise<PackedImage> {
  const layers = await Promise.all(trees.map(tarOf));
  const diffIds = layers.map((layer) => `sha256:${sha256(layer)}`);
  const config = JSON.stringify(imageConfig(diffIds));
  const configName = `${sha256(config)}.json`;
  const layerNames = diffIds.map((id) => `${id.slice('sha256:'.length)}/layer.tar`);
  const manifest = [{ Config: configName, RepoTags: [reference], Layers: layerNames }];
  const archive = await tarOf([
    file(configName, config),
    ...layers.map((layer, index) => file(layerNames[index] ?? '', layer)),
    file('manifest.json', JSON.stringify(manifest)),
  ]);
  return { archive, id: `sha256:${sha256(config)}`, diffIds, config, layers };
}

export function file(name: string, data: string | Uint8Array, mode = 0o644): ImageEntry {
  return { name, type: 'file', mode, data };
}

export function directory(name: string, mode = 0o755): ImageEntry {
  return { name, type: 'directory', mode };
}

function imageConfig(diffIds: readonly string[]): object {
  const created = new Date(0).toISOString();
  return {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    created,
    config: {
      Env: ['PATH=/bin:/usr/bin'],
      Cmd: ['/bin/sh'],
      WorkingDir: '/',
      Labels: { 'seatrial.image': 'busybox' },
    },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: diffIds.map((_, index) => ({ created, created_by: `seatrial layer ${index + 1}` })),
  };
}

async function tarOf(entries: readonly ImageEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { data, uid = 0, ...header } of entries) {
    const full = { ...header, uid, gid: uid, uname: '', gname: '', mtime: new Date(0) };
    if (data === undefined) tar.entry(full);
    else tar.entry(full, Buffer.from(data));
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks);
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
