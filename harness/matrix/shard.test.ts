import { expect, it } from 'vitest';
import { cellName, type Job, jobName } from './cell.ts';
import { shardOf } from './shard.ts';

const drivers = ['overlay', 'vfs', 'devicemapper'];
const jobs = ['a', 'b'].flatMap((host) =>
  drivers.flatMap((name) =>
    ['daemon-crash/x', 'daemon-crash/y', 'start-stop/z'].map((id): Job => {
      const [area = '', scenario = ''] = id.split('/');
      return {
        cell: { host, engine: 'hull', driver: { name, required: true, options: {} } },
        area,
        scenario,
      };
    }),
  ),
);
const shards = (count: number) =>
  Array.from({ length: count }, (_, i) => shardOf(jobs, { index: i + 1, count }));
const cellsOf = (part: readonly Job[]) => [...new Set(part.map(({ cell }) => cellName(cell)))];

it.each([1, 2, 3, 4, 5, 6])('cuts a plan into %i parts that are together the plan, in its order', (count) => {
  expect(shards(count).flat().map(jobName)).toEqual(jobs.map(jobName));
  for (const part of shards(count)) expect(part).not.toEqual([]);
});

it('gives each of two shards a host', () => {
  expect(shards(2).map(cellsOf)).toEqual([
    ['a/hull/overlay', 'a/hull/vfs', 'a/hull/devicemapper'],
    ['b/hull/overlay', 'b/hull/vfs', 'b/hull/devicemapper'],
  ]);
});

it('weighs the cells by the time that their scenarios take', () => {
  const crash = jobs[0] as Job;
  const many = [...Array.from({ length: 9 }, (_, i) => ({ ...crash, scenario: `s${i}` })), ...jobs.slice(3)];
  expect(cellsOf(shardOf(many, { index: 1, count: 2 }))).toEqual(['a/hull/overlay', 'a/hull/vfs']);
});

it('says why there cannot be more shards than cells', () => {
  expect(() => shardOf(jobs.slice(0, 3), { index: 1, count: 2 })).toThrow(
    'Cannot cut the plan into 2 shards: it has 1 cell, and a cell is not cut.',
  );
});
