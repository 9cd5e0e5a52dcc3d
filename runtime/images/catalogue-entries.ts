import type { CatalogueEntry } from './catalogue.ts';
import type { Digest } from './digest.ts';

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
