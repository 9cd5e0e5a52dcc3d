import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Spool, SpooledBlob } from './blobs.ts';
import { chainIds, type Digest, digestOf, hexOf } from './digest.ts';
import { plainLayer } from './plain-layer.ts';
import { fileEntry, folderEntry, textEntry } from './tar-writing/plain-entries.ts';
import type { TarSource } from './tar-writing/write-tar.ts';
import type { HeldImage } from './write-archive.ts';

/**
 * `docker save` before 25: a folder for each layer, named by an id of its own, with `VERSION`, `json` and `layer.tar`; `repositories` for
 * readers before 1.10, `<image id>.json` and `manifest.json` for those since. Layers are plain.
 */
export async function* legacyEntries(
  images: readonly HeldImage[],
  spool: Spool,
): AsyncGenerator<TarSource, void, undefined> {
  const written = new Set<string>();
  const manifests: object[] = [];
  const repositories: Record<string, Record<string, string>> = {};
  for (const { stored, references, config, layers } of images) {
    const folders = layerFolders(stored.config.rootfs.diff_ids, await documentOf(config));
    for (const [index, { id, json }] of folders.entries()) {
      const blob = layers[index];
      if (!blob || written.has(id)) continue;
      written.add(id);
      const { path, size } = await plainLayer(blob, spool);
      yield folderEntry(`${id}/`);
      yield textEntry(`${id}/VERSION`, '1.0');
      yield textEntry(`${id}/json`, json);
      yield fileEntry(`${id}/layer.tar`, size, () => createReadStream(path));
    }
    const configName = `${hexOf(stored.id)}.json`;
    if (!written.has(configName))
      yield fileEntry(configName, config.size, () => createReadStream(config.path));
    written.add(configName);
    manifests.push({
      Config: configName,
      RepoTags: references.length > 0 ? references : null,
      Layers: folders.map(({ id }) => `${id}/layer.tar`),
    });
    const top = folders.at(-1);
    for (const reference of top ? references : []) {
      const colon = reference.lastIndexOf(':');
      const repository = reference.slice(0, colon);
      repositories[repository] = { ...repositories[repository], [reference.slice(colon + 1)]: top?.id ?? '' };
    }
  }
  yield textEntry('manifest.json', `${JSON.stringify(manifests)}\n`);
  if (Object.keys(repositories).length > 0)
    yield textEntry('repositories', `${JSON.stringify(repositories)}\n`);
}

/** The topmost layer's `json` has the image's configuration; those below have only their place. */
function layerFolders(
  diffIds: readonly Digest[],
  document: Readonly<Record<string, unknown>>,
): readonly { readonly id: string; readonly json: string }[] {
  const { rootfs: _rootfs, history: _history, ...own } = document;
  const folders: { id: string; json: string }[] = [];
  for (const [index, chainId] of chainIds(diffIds).entries()) {
    const isTop = index === diffIds.length - 1;
    const parent = folders.at(-1)?.id;
    const place = parent === undefined ? {} : { parent };
    const content = isTop ? own : { created: '1970-01-01T00:00:00Z', os: 'linux' };
    const id = hexOf(digestOf(JSON.stringify({ ...content, ...place, layer_id: chainId })));
    folders.push({ id, json: JSON.stringify({ id, ...place, ...content }) });
  }
  return folders;
}

async function documentOf({ path }: SpooledBlob): Promise<Readonly<Record<string, unknown>>> {
  await using file = await open(path, 'r');
  const parsed: unknown = JSON.parse(await file.readFile('utf8'));
  return { ...Object(parsed) };
}
