import { HullError } from '../base/errors.ts';
import type { FoundImage } from './find-image.ts';

/** What a removal does, decided before anything is changed. */
export interface RemovalPlan {
  /** Names that go. */
  readonly untagged: readonly string[];
  /** The image stays: under other names, or without one because containers use it. */
  readonly keep: boolean;
}

/**
 * As Docker: a name is taken from an image that has others; with the last one, or by id, the image goes. What a container is made
 * from never goes: refused, or with `force` only its names.
 * @throws HullError `conflict` naming the containers or the names.
 */
export function planRemoval(
  { entry, reference }: FoundImage,
  usedBy: readonly string[],
  force: boolean,
): RemovalPlan {
  if (reference !== undefined && entry.references.length > 1) return { untagged: [reference], keep: true };
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
  if (!force && entry.references.length > 1) {
    throw new HullError(`${what}: found the names ${entry.references.join(', ')}, wanted at most one`, {
      kind: 'conflict',
      hint: 'Remove it by name, or use force.',
    });
  }
  return { untagged: entry.references, keep: usedBy.length > 0 };
}
