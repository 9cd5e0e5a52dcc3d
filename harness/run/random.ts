import { createHash } from 'node:crypto';

export const largestSeed = 2 ** 32 - 1;

/** A seed for a run that was given none: 0 … 2³² − 1. */
export function newSeed(): number {
  return Math.floor(Math.random() * (largestSeed + 1));
}

/**
 * Numbers in [0, 1) that depend on the seed and the name only, like `Math.random` otherwise. Each run of each scenario has
 * its own, so that it finds the same ones when it runs alone.
 */
export function seededRandom(seed: number, name: string): () => number {
  let count = 0;
  return () => {
    count += 1;
    const digest = createHash('sha256').update(`${seed}\0${name}\0${count}`).digest();
    // 48 bits: more than a moment or a name needs, and exact in a double.
    return digest.readUIntBE(0, 6) / 2 ** 48;
  };
}
