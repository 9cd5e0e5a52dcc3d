import { CommanderError } from 'commander';
import { expect, it } from 'vitest';
import { isChosen, parseBenchOptions, wordsForGuest } from './options.ts';
import { allTasks } from './tasks/all-tasks.ts';

it('measures everything without options', () => {
  const options = parseBenchOptions([], allTasks);
  expect(options).toMatchObject({ samples: 20, warmup: 2, payload: 36, list: false });
  expect(options.tasks).toEqual(allTasks.map(({ name }) => name));
  for (const contender of allTasks.flatMap(({ contenders }) => contenders))
    expect(isChosen(contender, options.subjects)).toBe(true);
});

it('takes subjects with and without a driver', () => {
  const { subjects, tasks, seed } = parseBenchOptions(
    ['--subjects', 'hull/vfs, crun', '--tasks=exec', '--seed', '4'],
    allTasks,
  );
  expect([tasks, seed]).toEqual([['exec'], 4]);
  expect(isChosen({ subject: 'hull', driver: 'vfs' }, subjects)).toBe(true);
  expect(isChosen({ subject: 'hull', driver: 'overlay' }, subjects)).toBe(false);
  expect(isChosen({ subject: 'crun' }, subjects)).toBe(true);
});

it('a guest is told all but what is meant for this machine', () => {
  const options = parseBenchOptions(
    ['--host', 'debian-13', '--drivers', 'zfs', '--json', 'here.json', '--tasks', 'exec', '--budget', '3'],
    allTasks,
  );
  expect(options).toMatchObject({ host: 'debian-13', json: 'here.json', payload: 4, drivers: ['zfs'] });
  const { host: _, json: __, drivers: ___, ...same } = options;
  expect(parseBenchOptions(wordsForGuest(options), allTasks)).toEqual(same);
});

it.each([
  [['--samples', '0'], /found "0", wanted a whole number from 1 to/],
  [['--samples', '1e3'], /found "1e3", wanted/],
  [['--payload', '0'], /found "0", wanted a whole number from 1 to 4096/],
  [['--warmup', '-1'], /found "-1", wanted a whole number from 0/],
  [['--tasks', 'run-to-exit,swim'], /found no task "swim", wanted some of run-to-exit,/],
  [['--subjects', 'lxc'], /found no subject "lxc", wanted some of hull, hull\/overlay,/],
  [['--jsn', 'x'], /unknown option '--jsn'/],
  [['stray'], /too many arguments/],
])('%j is one clear error', (args, wanted) => {
  expect(() => parseBenchOptions(args, allTasks)).toThrow(CommanderError);
  expect(() => parseBenchOptions(args, allTasks)).toThrow(wanted);
});
