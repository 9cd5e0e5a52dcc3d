import type { CatalogueEntry } from './catalogue.ts';
import type { Digest } from './digest.ts';
import type { ImageProgress } from './image-store.ts';

export type CatalogueEntries = ReadonlyMap<Digest, CatalogueEntry>;

/** The images with `entry` among them under further names; a name leaves the image that had it. */
export function withNames(
  entries: CatalogueEntries,
  entry: CatalogueEntry,
  names: readonly string[],
  digests: readonly string[] = [],
): CatalogueEntries {
  const next = new Map([...entries].map(([id, other]) => [id, without(other, [...names, ...digests])]));
  const before = next.get(entry.id);
  const references = [...(before?.references ?? []), ...names];
  const repoDigests = [...(before?.repoDigests ?? []), ...digests];
  return next.set(entry.id, {
    ...entry,
    references: [...new Set(references)],
    repoDigests: [...new Set(repoDigests)],
  });
}

/** The image without these of its names. */
export function without(entry: CatalogueEntry, names: readonly string[]): CatalogueEntry {
  const stays = (name: string) => !names.includes(name);
  return {
    ...entry,
    references: entry.references.filter(stays),
    repoDigests: entry.repoDigests.filter(stays),
  };
}

export const childrenOf = (id: Digest, entries: CatalogueEntries): readonly Digest[] =>
  [...entries.values()].filter(({ parent }) => parent === id).map((child) => child.id);

export const parentOf = (
  { parent }: CatalogueEntry,
  entries: CatalogueEntries,
): CatalogueEntry | undefined => (parent === undefined ? undefined : entries.get(parent));

/** What Docker says where names go over to an image from another. */
export function* renamings(
  entries: CatalogueEntries,
  id: Digest,
  references: readonly string[],
): Generator<ImageProgress> {
  for (const name of references) {
    const old = [...entries.values()].find((entry) => entry.references.includes(name));
    if (!old || old.id === id) continue;
    const words = `The image ${name} already exists, renaming the old one with ID ${old.id} to empty string`;
    yield { stream: `${words}\n` };
  }
}
