import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, it } from 'vitest';

const seatrial = fileURLToPath(new URL('../bin/seatrial', import.meta.url));
const run = (words: readonly string[]) => execa(seatrial, words, { reject: false });

it.each([
  [['--shard', '0/2'], "'--shard <i/n>' argument '0/2' is invalid. Wanted i/n with 1 ≤ i ≤ n, such as 1/2."],
  [['--shard', '3/2'], 'Wanted i/n with 1 ≤ i ≤ n'],
  [['--shard', 'half'], 'Wanted i/n with 1 ≤ i ≤ n'],
  [['--shard', '1/99'], 'Cannot cut the plan into 99 shards: it has 6 cells'],
  [['--seed', '-1'], 'Wanted a whole number of at least 0 and at most 4294967295.'],
  [['--seed', '4294967296'], 'at most 4294967295'],
  [['--seed', '0x10'], 'Wanted a whole number'],
  [['--repeat', '0'], 'Wanted a whole number of at least 1.'],
  [['--retries', 'two'], 'Wanted a whole number of at least 0.'],
  [['--hosts', 'debian-14'], 'Cannot select host "debian-14"'],
  [
    ['--shell', 'debian-14'],
    'Cannot open a shell on "debian-14": unknown, the known are debian-11, debian-13.',
  ],
  [['--nonsense'], "unknown option '--nonsense'"],
])('refuses %j with one clear sentence', async (words, sentence) => {
  const { exitCode, stderr, stdout } = await run([...words, '--list']);
  expect(stderr).toContain(sentence);
  expect([exitCode, stdout]).toEqual([2, '']);
});

it('lists shards that are together the whole list', async () => {
  const [all, ...shards] = await Promise.all(
    [[], ['--shard', '1/2'], ['--shard', '2/2']].map((words) => run(['--list', ...words])),
  );
  expect(all?.stdout.split('\n').length).toBeGreaterThan(100);
  expect(shards.map(({ stdout }) => stdout).join('\n')).toBe(all?.stdout);
});
