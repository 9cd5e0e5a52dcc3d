import { expect, it } from 'vitest';
import { largestSeed, newSeed, seededRandom } from './random.ts';

const first = (seed: number, name: string, count = 5) =>
  Array.from({ length: count }, seededRandom(seed, name));

it('says the same numbers for the same seed and name, others for others', () => {
  expect(first(7, 'a')).toEqual(first(7, 'a'));
  expect(first(7, 'a')).not.toEqual(first(8, 'a'));
  expect(first(7, 'a')).not.toEqual(first(7, 'b'));
  // In results.json of one release and its next: a seed that was written down stays good.
  expect(first(1, 'host/engine/driver:area/scenario', 1)[0]).toBeCloseTo(0.6325, 4);
});

it('spreads them over [0, 1)', () => {
  const numbers = first(3, 'spread', 2000);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  const tenths = Array.from({ length: 10 }, (_, i) => numbers.filter((n) => Math.floor(n * 10) === i).length);
  for (const count of tenths) expect(count).toBeGreaterThan(130);
});

it('makes seeds that fit the option', () => {
  for (let i = 0; i < 100; i += 1) {
    const seed = newSeed();
    expect(Number.isInteger(seed) && seed >= 0 && seed <= largestSeed).toBe(true);
  }
});
