import { expect, it } from 'vitest';
import { asSpeed, median, percentile, seededRandom, shuffled, summarise } from './statistics.ts';

it.each([
  [[7], 7],
  [[3, 1, 2], 2],
  [[10, 9, 1, 2], 5.5],
  // As numbers, not as text.
  [[100, 20, 3], 20],
])('the median of %j is %d', (values, wanted) => expect(median(values)).toBe(wanted));

it.each([
  [1, 1],
  [2, 2],
  [19, 19],
  [20, 19],
  [21, 20],
  [100, 95],
])('the 95th percentile of 1 to %d is %d', (count, wanted) => {
  const values = Array.from({ length: count }, (_, index) => count - index);
  expect(percentile(values, 0.95)).toBe(wanted);
});

it('summarises without touching the list, and refuses an empty one', () => {
  const values = Object.freeze([3, 1, 2]);
  expect(summarise(values)).toEqual({ median: 2, p95: 3, samples: 3 });
  expect(() => summarise([])).toThrow(/^Cannot summarise 0 samples/);
});

it('turns times into speeds, of which the p95 is the slow end', () => {
  expect(asSpeed({ median: 100, p95: 200, samples: 5 }, 50_000_000)).toEqual({
    median: 500,
    p95: 250,
    samples: 5,
  });
});

it('draws the same numbers for the same seed, others for another, all from 0 to below 1', () => {
  const draw = (seed: number) => Array.from({ length: 1000 }, seededRandom(seed));
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
  expect(draw(3).every((value) => value >= 0 && value < 1)).toBe(true);
});

it('shuffles so that each comes first about equally often', () => {
  const random = seededRandom(5);
  const firsts = new Map<string, number>();
  for (let round = 0; round < 3000; round += 1) {
    const order = shuffled(['a', 'b', 'c'], random);
    expect([...order].sort()).toEqual(['a', 'b', 'c']);
    firsts.set(order[0] ?? '', (firsts.get(order[0] ?? '') ?? 0) + 1);
  }
  for (const count of firsts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
});
