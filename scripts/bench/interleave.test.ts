import { expect, it } from 'vitest';
import { interleave } from './interleave.ts';
import { seededRandom } from './statistics.ts';

/** Entrants that note when they run and answer the number of their run. */
function entrants(names: readonly string[], log: string[]) {
  return names.map((name) => {
    let runs = 0;
    return {
      name,
      sample: async () => {
        log.push(name);
        runs += 1;
        return runs;
      },
    };
  });
}

it('measures each entrant once per round, in changing orders, and leaves the warm-up out', async () => {
  const log: string[] = [];
  const measured = await interleave(entrants(['a', 'b', 'c'], log), {
    samples: 8,
    warmup: 2,
    random: seededRandom(1),
  });
  const rounds = Array.from({ length: 10 }, (_, round) => log.slice(round * 3, round * 3 + 3));
  expect(log).toHaveLength(30);
  for (const round of rounds) expect([...round].sort()).toEqual(['a', 'b', 'c']);
  expect(new Set(rounds.map((round) => round.join(''))).size).toBeGreaterThan(2);
  for (const { values } of measured) expect(values).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
});

it('begins no further round when its time is over, and has five at least', async () => {
  const log: string[] = [];
  const options = { samples: 100, warmup: 1, random: seededRandom(3), budgetMs: 0 };
  const measured = await interleave(entrants(['a', 'b'], log), options);
  expect(measured.map(({ values }) => values)).toEqual([
    [2, 3, 4, 5, 6],
    [2, 3, 4, 5, 6],
  ]);
});

it('takes out what throws, keeps its values, and goes on with the others', async () => {
  const [good, bad] = entrants(['good', 'bad'], []);
  if (!good || !bad) throw new Error('two were made');
  const failing = {
    name: bad.name,
    sample: async () => {
      const run = await bad.sample();
      if (run === 3) throw new Error('broken');
      return run;
    },
  };
  const measured = await interleave([good, failing], { samples: 5, warmup: 0, random: seededRandom(2) });
  expect(measured).toEqual([
    { name: 'good', values: [1, 2, 3, 4, 5] },
    { name: 'bad', values: [1, 2], failure: new Error('broken') },
  ]);
});
