import type { LeakKind } from '../types.ts';

/** One thing on the host. */
export interface Thing {
  readonly kind: LeakKind;
  /** The same thing has the same id in every look: `123@45678` for a process (pid and start time). */
  readonly id: string;
  /** What a replacement shares with it: a restarted daemon has another pid and the same command line. */
  readonly like: string;
  /** One line for the reader. */
  readonly what: string;
  /** What may change while it stays the same thing. */
  readonly state?: string;
  /** Bytes; only a growth beyond a tolerance is a change. */
  readonly size?: number;
  /** The mount namespace a mount is seen in: `mnt:[4026531840]`. */
  readonly namespace?: string;
  /** A mount without its namespace and flags, which differ between copies of it: `tmpfs tmpfs at /run`. */
  readonly place?: string;
}

export type Things = ReadonlyMap<LeakKind, ReadonlyMap<string, Thing>>;

export function collect(things: Iterable<Thing>): Map<LeakKind, Map<string, Thing>> {
  const kinds = new Map<LeakKind, Map<string, Thing>>();
  for (const thing of things) {
    let kind = kinds.get(thing.kind);
    if (kind === undefined) {
      kind = new Map();
      kinds.set(thing.kind, kind);
    }
    kind.set(thing.id, thing);
  }
  return kinds;
}
