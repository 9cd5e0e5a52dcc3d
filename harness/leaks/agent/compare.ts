import type { LeakKind } from '../types.ts';
import type { Thing, Things } from './thing.ts';

export interface Change {
  readonly change: 'added' | 'removed' | 'changed';
  readonly thing: Thing;
  /** For `changed`: what it was. */
  readonly before?: Thing;
}

/** A file that an engine keeps (an index, a log) may grow by this much: 64 KiB. */
const sizeTolerance = 64 * 1024;

/**
 * Kinds where a thing that is gone is damage to the host. For the others an end is what is wanted: a process that a
 * former scenario had left behind may go.
 */
const removalMatters: ReadonlySet<LeakKind> = new Set<LeakKind>(['mount', 'link', 'nft', 'sysctl']);

/** What is in `after` and not in `before`, is gone, or has changed. Replacements (same `like`) cancel each other. */
export function compare(before: Things, after: Things): Change[] {
  const changes: Change[] = [];
  for (const kind of new Set([...before.keys(), ...after.keys()])) {
    const old = before.get(kind) ?? new Map<string, Thing>();
    const now = after.get(kind) ?? new Map<string, Thing>();
    const gone = new Map<string, Thing[]>();
    for (const [id, thing] of old) {
      if (now.has(id)) continue;
      const alike = gone.get(thing.like);
      if (alike === undefined) gone.set(thing.like, [thing]);
      else alike.push(thing);
    }
    for (const [id, thing] of now) {
      const same = old.get(id);
      const was = same ?? takeAlike(gone.get(thing.like), thing);
      if (was === undefined) changes.push({ change: 'added', thing });
      else if (differs(was, thing)) changes.push({ change: 'changed', thing, before: was });
    }
    if (!removalMatters.has(kind)) continue;
    for (const things of gone.values())
      for (const thing of things) changes.push({ change: 'removed', thing });
  }
  return foldNamespaces(before, after, changes);
}

/** The one that is replaced: in the same state, if there is one; a place may carry two mounts with different flags. */
function takeAlike(alike: Thing[] | undefined, { state }: Thing): Thing | undefined {
  const equal = alike?.findIndex((other) => other.state === state) ?? -1;
  return alike?.splice(Math.max(equal, 0), 1)[0];
}

function differs(before: Thing, after: Thing): boolean {
  return before.state !== after.state || (after.size ?? 0) - (before.size ?? 0) > sizeTolerance;
}

/**
 * A new mount namespace begins as a copy of another: of its mounts only those are told that were in none before.
 * One that is gone has taken its mounts with it, which is no damage.
 */
function foldNamespaces(before: Things, after: Things, changes: readonly Change[]): Change[] {
  const places = new Set(mountsOf(before).map(({ place }) => place));
  const namespacesBefore = new Set(mountsOf(before).map(({ namespace }) => namespace));
  const namespacesAfter = new Set(mountsOf(after).map(({ namespace }) => namespace));
  return changes.filter(({ change, thing }) => {
    if (thing.kind !== 'mount') return true;
    if (change === 'added' && !namespacesBefore.has(thing.namespace)) return !places.has(thing.place);
    return change !== 'removed' || namespacesAfter.has(thing.namespace);
  });
}

function mountsOf(things: Things): Thing[] {
  return [...(things.get('mount')?.values() ?? [])];
}
