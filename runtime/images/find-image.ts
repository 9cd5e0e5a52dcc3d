import { HullError } from '../base/errors.ts';
import type { CatalogueEntry } from './catalogue.ts';
import { formatReference, parseReference } from './reference.ts';

export interface FoundImage {
  readonly entry: CatalogueEntry;
  /** The name it was found by, one of the entry's `references` or `repoDigests`; undefined when by id. */
  readonly reference?: string;
}

/**
 * By full id, name, name with digest, or unambiguous start of an id, in this order, as Docker.
 * @throws HullError `not-found`, `conflict` (several ids start so; they are named), `invalid` (neither a name nor an id).
 */
export function findImage(entries: Iterable<CatalogueEntry>, nameOrId: string): FoundImage {
  const images = [...entries];
  const hex = nameOrId.replace(/^sha256:/, '');
  const full = images.find(({ id }) => id === `sha256:${hex}`);
  if (full) return { entry: full };
  const named = nameOrId.startsWith('sha256:')
    ? undefined
    : byName(images, nameOrId, /^[0-9a-f]+$/.test(hex));
  if (named) return named;
  const starting = /^[0-9a-f]+$/.test(hex) ? images.filter(({ id }) => id.startsWith(`sha256:${hex}`)) : [];
  const [only, second] = starting;
  if (second) {
    throw new HullError(
      `Cannot find image ${JSON.stringify(nameOrId)}: found ${starting.map(({ id }) => id).join(', ')}, wanted one`,
      { kind: 'conflict' },
    );
  }
  if (only) return { entry: only };
  throw new HullError(
    // Docker's words, which clients know.
    `No such image: ${/[:@][^/]*$/.test(nameOrId) ? nameOrId : `${nameOrId}:latest`}`,
    { kind: 'not-found' },
  );
}

function byName(images: readonly CatalogueEntry[], text: string, mayBeId: boolean): FoundImage | undefined {
  const wanted = mayBeId ? quietly(() => parseReference(text)) : parseReference(text);
  if (!wanted) return undefined;
  const { repository, digest } = wanted;
  const reference = formatReference(wanted);
  for (const entry of images) {
    if (digest === undefined && entry.references.includes(reference)) return { entry, reference };
    if (digest === undefined) continue;
    const repoDigest = `${repository}@${digest}`;
    if (entry.repoDigests.includes(repoDigest)) return { entry, reference: repoDigest };
    if (digest !== entry.manifest.digest && digest !== entry.id) continue;
    const name = entry.references.find((each) => parseReference(each).repository === repository);
    if (name) return { entry, reference: name };
  }
  return undefined;
}

function quietly<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
