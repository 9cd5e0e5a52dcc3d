import { randomInt } from 'node:crypto';
import { HullError } from '../base/errors.ts';
import type { LayerChain } from './layer-backend.ts';
import type { LayerRecord } from './layer-records.ts';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const length = 8;

export function isShortKey(text: string): boolean {
  return text.length === length && [...text].every((letter) => letters.includes(letter));
}

/** Names of layers for mount options, which have the room of one page: eight letters, each name once. */
export class ShortKeys {
  readonly #taken: Set<string>;

  constructor(records: readonly LayerRecord[]) {
    this.#taken = new Set(records.map(({ key }) => key));
  }

  take(): string {
    let key: string;
    do {
      key = Array.from({ length }, () => letters[randomInt(letters.length)]).join('');
    } while (this.#taken.has(key));
    this.#taken.add(key);
    return key;
  }

  free(key: string): void {
    this.#taken.delete(key);
  }
}

/** Kind `unavailable`: a union without one of its layers would be another tree. */
export function requireWholeChain([layer, ...ancestors]: LayerChain): void {
  const known = ancestors.length + 1;
  if (known === layer.depth) return;
  throw new HullError(
    `Cannot acquire layer ${layer.id}: ${known} layers of its chain are known, wanted ${layer.depth}`,
    { kind: 'unavailable', hint: 'The record of one below it is damaged or gone.' },
  );
}
