import { HullError } from '../base/errors.ts';
import type { CatalogueEntry } from './catalogue.ts';
import type { FoundImage } from './find-image.ts';
import { parseReference } from './reference.ts';

/** What a removal does, decided before anything is changed. */
export interface RemovalPlan {
  /** Names that go. */
  readonly untagged: readonly string[];
  /** The image stays: under other names, or without one because containers use it. */
  readonly keep: boolean;
}

/**
 * As Docker: a name is taken from an image that has others; with the last one, or by id, the image goes. A registry's digests are names
 * too, but go with the last tag of their repository. What a container or another image is made
 * from never goes: refused, or only its names (a container's with `force`).
 * @throws HullError `conflict` naming the containers or the names.
 */
export function planRemoval(
  { entry, reference }: FoundImage,
  usedBy: readonly string[],
  force: boolean,
  children: readonly string[] = [],
): RemovalPlan {
  const names = [...entry.references, ...entry.repoDigests];
  if (reference !== undefined) {
    const untagged = goingWith(reference, entry);
    if (untagged.length < names.length) return { untagged, keep: true };
  }
  const what = `Cannot remove image ${reference ?? entry.id}`;
  if (!force && usedBy.length > 0) {
    throw new HullError(
      `${what}: found it used by container ${usedBy.join(', ')}, wanted no container to use it`,
      {
        kind: 'conflict',
        hint: 'Remove the containers first, or use force to remove only its names.',
      },
    );
  }
  if (!force && reference === undefined && names.length > 1 && !haveOneRepository(entry)) {
    throw new HullError(`${what}: found the names ${names.join(', ')}, wanted at most one`, {
      kind: 'conflict',
      hint: 'Remove it by name, or use force.',
    });
  }
  // By name the name goes and the image stays; by id there is nothing that could be done.
  if (children.length > 0 && reference === undefined) {
    throw new HullError(
      `${what}: found image ${children.join(', ')} made upon it, wanted none (it has dependent child images)`,
      { kind: 'conflict', hint: 'Remove those first.' },
    );
  }
  return { untagged: names, keep: usedBy.length > 0 || children.length > 0 };
}

/** An image that goes with its last child: nothing names or uses it. */
export const isForgotten = (
  { references, repoDigests }: CatalogueEntry,
  usedBy: readonly string[],
  children: readonly string[],
): boolean => references.length + repoDigests.length + usedBy.length + children.length === 0;

/** The name itself, and the digests of its repository where it is the last tag there. */
function goingWith(reference: string, { references, repoDigests }: CatalogueEntry): readonly string[] {
  if (!references.includes(reference)) return [reference];
  const repository = repositoryOf(reference);
  const others = references.filter((name) => name !== reference && repositoryOf(name) === repository);
  if (others.length > 0) return [reference];
  return [reference, ...repoDigests.filter((name) => repositoryOf(name) === repository)];
}

/** At most one tag, and digests of its repository alone. */
function haveOneRepository({ references, repoDigests }: CatalogueEntry): boolean {
  const repositories = new Set([...references, ...repoDigests].map(repositoryOf));
  return references.length <= 1 && repositories.size <= 1;
}

const repositoryOf = (name: string): string => parseReference(name).repository;
