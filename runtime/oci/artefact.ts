import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The built command line: a folder named by its key, with `alone` (the executable file), the code, and the list of the sources it was made
 * of. `scripts/hull-oci` makes it.
 */
export interface Artefact {
  readonly folder: string;
  readonly key: string;
  readonly alone: string;
  /** Paths. */
  readonly sources: readonly string[];
  /** Whether the sources are still what it was made of. */
  isCurrent(): boolean;
}

/** A source's path, time of its last change (ms) and size. */
type Source = readonly [path: string, mtimeMs: number, size: number];

export interface Origin {
  readonly key: string;
  readonly sources: readonly Source[];
  /** Argv that makes it anew, and prints the argv of what to execute then, a word a line. */
  readonly make: readonly string[];
}

export function readOrigin(folder: string): Origin {
  return JSON.parse(readFileSync(join(folder, 'origin.json'), 'utf8')) as Origin;
}

export function openArtefact(folder: string, { key, sources }: Origin): Artefact {
  return {
    folder,
    key,
    alone: join(folder, 'alone'),
    sources: sources.map(([path]) => path),
    isCurrent: () =>
      sources.every(([path, mtimeMs, size]) => {
        const found = statSync(path, { throwIfNoEntry: false });
        return found?.mtimeMs === mtimeMs && found.size === size;
      }),
  };
}
