/** What a list of samples says. */
export interface Summary {
  readonly median: number;
  readonly p95: number;
  readonly samples: number;
}

/** Throws where there is no sample. */
export function summarise(values: readonly number[]): Summary {
  return { median: median(values), p95: percentile(values, 0.95), samples: values.length };
}

/** The middle value; of an even number of values the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = sort(values);
  const middle = sorted.length >> 1;
  const upper = at(sorted, middle);
  return sorted.length % 2 === 1 ? upper : (at(sorted, middle - 1) + upper) / 2;
}

/** Nearest rank: the smallest value that at least `share` (0 to 1) of the values do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = sort(values);
  return at(sorted, Math.max(1, Math.ceil(share * sorted.length)) - 1);
}

/** Milliseconds for `bytes` as megabytes (10⁶) per second: the p95 is the speed that 95 % of the samples reach. */
export function asSpeed({ median, p95, samples }: Summary, bytes: number): Summary {
  const speed = (ms: number) => bytes / 1000 / ms;
  return { median: speed(median), p95: speed(p95), samples };
}

export type Random = () => number;

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A random order; the list itself stays as it is. */
export function shuffled<T>(list: readonly T[], random: Random): T[] {
  const keyed = list.map((item) => ({ item, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

function sort(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

function at(sorted: readonly number[], index: number): number {
  const value = sorted[index];
  if (value === undefined)
    throw new Error(`Cannot summarise ${sorted.length} samples: found none at ${index}`);
  return value;
}
