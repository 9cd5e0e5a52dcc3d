import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { HullError } from '../base/errors.ts';
import type { Spool, SpooledBlob } from './blobs.ts';
import { decompress } from './decompress.ts';
import { type Digest, DigestStream } from './digest.ts';
import { parseConfig } from './documents.ts';
import type { ArchivedImage } from './read-archive.ts';

const layerSchema = z.looseObject({
  id: z.string().optional(),
  parent: z.string().optional(),
  created: z.string().optional(),
  author: z.string().optional(),
  comment: z.string().optional(),
  throwaway: z.boolean().optional(),
  container_config: z.looseObject({ Cmd: z.array(z.string()).nullish() }).nullish(),
});
type LegacyLayer = z.infer<typeof layerSchema>;
const repositoriesSchema = z.record(z.string(), z.record(z.string(), z.string()));

/** What an archive has, by name; the text of a document. */
export interface LegacyFiles {
  readonly names: readonly string[];
  readonly file: (name: string) => SpooledBlob | undefined;
  readonly text: (blob: SpooledBlob) => Promise<string>;
}

/**
 * `docker save` before 1.10, and Docker's image specification 1.0: a folder `<id>` with `json` and `layer.tar` for each layer, and
 * `repositories`. Each named image, or where none is named each that is nobody's parent, gets the configuration, and so the id, that
 * Docker makes of it. Undefined where the archive has no such folder.
 * @throws HullError `invalid` naming the folder.
 */
export async function readLegacy(
  { names, file, text }: LegacyFiles,
  spool: Spool,
): Promise<readonly ArchivedImage[] | undefined> {
  const ids = names.flatMap((name) => /^([0-9a-f]{64})\/json$/.exec(name)?.[1] ?? []);
  if (ids.length === 0) return undefined;
  const layers = new Map<string, LegacyLayer>();
  for (const id of ids)
    layers.set(id, parse(layerSchema, await text(need(file, `${id}/json`)), `${id}/json`));
  const listed = file('repositories');
  const repositories = listed ? parse(repositoriesSchema, await text(listed), 'repositories') : {};
  const tagged = Object.entries(repositories).flatMap(([repository, tags]) =>
    Object.entries(tags).map(([tag, id]) => ({ id, reference: `${repository}:${tag}` })),
  );
  const parents = new Set([...layers.values()].map(({ parent }) => parent));
  const heads = tagged.length > 0 ? tagged.map(({ id }) => id) : ids.filter((id) => !parents.has(id));
  const images: ArchivedImage[] = [];
  for (const id of new Set(heads)) {
    const references = tagged.filter((each) => each.id === id).map(({ reference }) => reference);
    images.push(await assemble(chainOf(id, layers), references, file, spool));
  }
  return images;
}

function chainOf(
  head: string,
  layers: ReadonlyMap<string, LegacyLayer>,
): readonly (LegacyLayer & { key: string })[] {
  const chain: (LegacyLayer & { key: string })[] = [];
  for (let key: string | undefined = head; key; ) {
    const layer = layers.get(key);
    if (!layer)
      throw invalid(
        `found no folder ${key} in it, wanted the layer that ${chain[0]?.key ?? 'repositories'} names`,
      );
    if (chain.length >= layers.size)
      throw invalid(`found layer ${head} among its own parents, wanted an end`);
    chain.unshift({ ...layer, key });
    key = layer.parent;
  }
  return chain;
}

async function assemble(
  chain: readonly (LegacyLayer & { key: string })[],
  references: readonly string[],
  file: LegacyFiles['file'],
  spool: Spool,
): Promise<ArchivedImage> {
  const blobs = chain.map(({ key }) => need(file, `${key}/layer.tar`));
  const diffIds: Digest[] = [];
  for (const { path } of blobs) {
    const hash = new DigestStream();
    for await (const _ of hash.through(decompress(createReadStream(path))));
    diffIds.push(hash.finish().digest);
  }
  const top = chain.at(-1);
  const {
    key: _key,
    id: _id,
    parent: _parent,
    Size: _size,
    throwaway: _throwaway,
    ...own
  } = top ?? { key: '' };
  const { parent_id: _parentId, layer_id: _layerId, ...rest } = own as Readonly<Record<string, unknown>>;
  const text = goJson({
    ...rest,
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: chain.map(historyOf),
  });
  const config = parseConfig(text, `the configuration made of ${top?.key}/json`);
  const configBlob = await spool.write(
    (async function* () {
      yield Buffer.from(text);
    })(),
  );
  return { references, config, configBlob, layers: blobs };
}

/** In the order in which Go writes the fields. */
function historyOf({ created, author, container_config, comment }: LegacyLayer): object {
  const command = container_config?.Cmd?.join(' ');
  return {
    ...(created && { created }),
    ...(author && { author }),
    ...(command && { created_by: command }),
    ...(comment && { comment }),
  };
}

/** Go's encoding/json of a map: the top-level keys sorted, and three signs escaped. */
function goJson(value: Readonly<Record<string, unknown>>): string {
  const sorted = Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  return JSON.stringify(sorted).replace(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function need(file: LegacyFiles['file'], name: string): SpooledBlob {
  const found = file(name);
  if (found) return found;
  throw invalid(`found no file ${JSON.stringify(name)} in it, wanted one for each layer's folder`);
}

function parse<T>(schema: z.ZodType<T>, text: string, name: string): T {
  try {
    const result = schema.safeParse(JSON.parse(text));
    if (result.success) return result.data;
    const issue = result.error.issues[0];
    throw invalid(`found ${name} with ${issue?.path.join('.')}: ${issue?.message}`);
  } catch (cause) {
    if (cause instanceof HullError) throw cause;
    throw invalid(`found ${name} with ${text.length} characters that do not parse, wanted JSON`);
  }
}

const invalid = (reason: string): HullError =>
  new HullError(`Cannot load the image archive: ${reason}`, { kind: 'invalid' });
