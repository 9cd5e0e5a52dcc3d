import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceTime } from './resident/compile-client.ts';

/**
 * The built command line: a folder named by its key, with `alone` (the executable file), the code, and the list of the sources it was made
 * of. `scripts/hull-oci` makes it.
 */
export interface Artefact {
  readonly folder: string;
  readonly key: string;
  readonly alone: string;
  /** The same, for who has looked at the sources: a command that the call's arguments go behind. */
  readonly fresh: readonly [string, ...string[]];
  /** Paths. */
  readonly sources: readonly string[];
  /** Whether the sources are still what it was made of. */
  isCurrent(): boolean;
  /** The same question for a program to ask; undefined where they are not. */
  sourceTimes(): readonly SourceTime[] | undefined;
}

/** A source's path, time of its last change (ms) and size. */
type Source = readonly [path: string, mtimeMs: number, size: number];

export interface Origin {
  readonly key: string;
  readonly sources: readonly Source[];
  /** Argv that makes it anew, and prints the argv of what to execute then, a word a line. */
  readonly make: readonly string[];
  /** Node, and its options for `fresh`. */
  readonly node: readonly [string, ...string[]];
}

export function readOrigin(folder: string): Origin {
  return JSON.parse(readFileSync(join(folder, 'origin.json'), 'utf8')) as Origin;
}

export function openArtefact(folder: string, { key, sources, node }: Origin): Artefact {
  return {
    folder,
    key,
    alone: join(folder, 'alone'),
    fresh: [...node, join(folder, 'fresh')],
    sources: sources.map(([path]) => path),
    isCurrent: () =>
      sources.every(([path, mtimeMs, size]) => {
        const found = statSync(path, { throwIfNoEntry: false });
        return found?.mtimeMs === mtimeMs && found.size === size;
      }),
    sourceTimes() {
      const times: SourceTime[] = [];
      for (const [path, mtimeMs, size] of sources) {
        const found = statSync(path, { bigint: true, throwIfNoEntry: false });
        if (!found || statSync(path).mtimeMs !== mtimeMs || Number(found.size) !== size) return undefined;
        const second = 1_000_000_000n;
        const [seconds, nanoseconds] = [found.mtimeNs / second, found.mtimeNs % second];
        times.push({ path, seconds, nanoseconds, size: found.size });
      }
      return times;
    },
  };
}
