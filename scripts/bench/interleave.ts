import { performance } from 'node:perf_hooks';
import { type Random, shuffled } from './statistics.ts';

/** Does the work once and answers how long it took, in milliseconds. What is not measured happens around it. */
export type Sample = () => Promise<number>;

export interface Entrant {
  readonly name: string;
  readonly sample: Sample;
}

export interface Measured {
  readonly name: string;
  readonly values: readonly number[];
  /** Why it was taken out; its values until then stay. */
  readonly failure?: Error;
}

export interface InterleaveOptions {
  readonly samples: number;
  readonly warmup: number;
  readonly random: Random;
  /** No further round begins after so many milliseconds, once there are `fewest` samples. Default: no end. */
  readonly budgetMs?: number;
}

/** With fewer a median says nothing. */
const fewest = 5;

/**
 * Measures the entrants side by side: in every round each one once, in a random order, so that noise and drift of
 * the machine hit all alike. The first `warmup` rounds do not count. One that throws is taken out, the others go on.
 */
export async function interleave(
  entrants: readonly Entrant[],
  { samples, warmup, random, budgetMs = Number.POSITIVE_INFINITY }: InterleaveOptions,
): Promise<readonly Measured[]> {
  const values = new Map<string, number[]>(entrants.map(({ name }) => [name, []]));
  const failures = new Map<string, Error>();
  const begin = performance.now();
  for (let round = 0; round < warmup + samples; round += 1) {
    if (round >= warmup + fewest && performance.now() - begin > budgetMs) break;
    for (const { name, sample } of shuffled(entrants, random)) {
      if (failures.has(name)) continue;
      try {
        const value = await sample();
        if (round >= warmup) values.get(name)?.push(value);
      } catch (error) {
        failures.set(name, error instanceof Error ? error : new Error(String(error)));
      }
    }
  }
  return entrants.map(({ name }) => {
    const failure = failures.get(name);
    return { name, values: values.get(name) ?? [], ...(failure ? { failure } : {}) };
  });
}
