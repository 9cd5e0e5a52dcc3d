import { HullError } from '../base/errors.ts';
import type { CatalogueEntry } from './catalogue.ts';
import type { FoundImage } from './find-image.ts';
import type { ImageUser } from './image-store.ts';
import { parseReference } from './reference.ts';

/** What a removal does, decided before anything is changed. */
export interface RemovalPlan {
  /** Names that go. */
  readonly untagged: readonly string[];
  /** The image stays: under other names, or without one because of who uses it. */
  readonly keep: boolean;
}

/** What a removal depends on. */
export interface RemovalWish {
  /** The image as the user named it. */
  readonly asked: string;
  readonly force: boolean;
  readonly users: readonly ImageUser[];
  readonly children: readonly string[];
}

/**
 * As Docker: a name is taken from an image that has others; with the last one, or by id, the image goes. A registry's digests are names
 * too, but go with the last tag of their repository. What a running container or another image is made from never goes: refused by id, and
 * only its name taken by name. A stopped container keeps its own layers, so with `force` its image goes.
 * @throws HullError `conflict` in Docker's words, which clients know.
 */
export function planRemoval({ entry, reference }: FoundImage, wish: RemovalWish): RemovalPlan {
  const { force, users, children } = wish;
  const names = [...entry.references, ...entry.repoDigests];
  const isBound = children.length > 0 || users.some(({ isRunning }) => isRunning);
  if (reference === undefined) {
    const why = whyNot(entry, wish);
    if (why) throw new HullError(`conflict: unable to delete ${shortId(entry.id)} ${why}`, conflict);
    return { untagged: names, keep: false };
  }
  const [user] = users;
  if (!force && user && haveOneRepository(entry)) {
    throw new HullError(
      `conflict: unable to remove repository reference ${JSON.stringify(wish.asked)} (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(entry.id)}`,
      conflict,
    );
  }
  const untagged = goingWith(reference, entry);
  const isLast = untagged.length === names.length;
  return { untagged, keep: !isLast || isBound || (!force && users.length > 0) };
}

/** Why an image does not go by its id; undefined: it does. */
function whyNot(entry: CatalogueEntry, { force, users, children }: RemovalWish): string | undefined {
  if (children.length > 0) return '(cannot be forced) - image has dependent child images';
  const running = users.find(({ isRunning }) => isRunning);
  if (running) return `(cannot be forced) - image is being used by running container ${shortId(running.id)}`;
  if (force) return undefined;
  if (!haveOneRepository(entry)) return '(must be forced) - image is referenced in multiple repositories';
  const [stopped] = users;
  return stopped && `(must be forced) - image is being used by stopped container ${shortId(stopped.id)}`;
}

const conflict = { kind: 'conflict' } as const;
const shortId = (id: string): string => id.replace('sha256:', '').slice(0, 12);

/** An image that goes with its last child: nothing names or uses it. */
export const isForgotten = (
  { references, repoDigests }: CatalogueEntry,
  users: readonly ImageUser[],
  children: readonly string[],
): boolean => references.length + repoDigests.length + users.length + children.length === 0;

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
