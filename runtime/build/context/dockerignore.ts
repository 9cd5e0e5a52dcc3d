import { posix } from 'node:path';
import { goPattern } from '../copy/go-match.ts';

interface Rule {
  readonly pattern: RegExp;
  readonly keeps: boolean;
}

/**
 * What a `.dockerignore` leaves out of the context: the last of its patterns that matches a file, or a folder above it, decides.
 * Paths are from the context's root, with slashes.
 */
export class Dockerignore {
  readonly #rules: readonly Rule[];

  /** Kind `invalid` for a pattern that is none. */
  constructor(text: string) {
    this.#rules = patternsOf(text).map((line) => {
      const keeps = line.startsWith('!');
      const pattern = cleaned(keeps ? line.slice(1) : line);
      return { keeps, pattern: goPattern(pattern, { doubleStar: true }) };
    });
  }

  leavesOut(path: string): boolean {
    let out = false;
    const names = path.split('/');
    const andAbove = names.map((_, at) => names.slice(0, at + 1).join('/'));
    for (const { pattern, keeps } of this.#rules) {
      if (keeps === out && andAbove.some((each) => pattern.test(each))) out = !keeps;
    }
    return out;
  }

  /** Whether a folder that is left out may hold what is kept: then it has to be looked into. */
  get keepsSome(): boolean {
    return this.#rules.some(({ keeps }) => keeps);
  }
}

const patternsOf = (text: string): readonly string[] =>
  text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== '!');

function cleaned(pattern: string): string {
  const clean = posix.normalize(pattern.trim()).replace(/(.)\/$/, '$1');
  return clean.length > 1 ? clean.replace(/^\//, '') : clean;
}
