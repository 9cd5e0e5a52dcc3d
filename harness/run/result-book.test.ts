import { expect, it } from 'vitest';
import type { Result } from '../../reports/schema.ts';
import { HostBroken } from '../hosts/host.ts';
import type { Cell, Job } from '../matrix/cell.ts';
import type { ScenarioRecord } from './cell-run.ts';
import { ResultBook } from './result-book.ts';

const cell = (host: string): Cell => ({
  host,
  engine: 'hull',
  driver: { name: 'vfs', required: true, options: {} },
});
const job = (host: string, scenario: string): Job => ({ cell: cell(host), area: 'crash', scenario });
const jobs = [job('a', 'one'), job('a', 'two'), job('b', 'one')];
const pass: ScenarioRecord = { outcome: 'pass', durationMs: 5 };
const fail: ScenarioRecord = { outcome: 'fail', durationMs: 7, reason: 'broke', evidence: { step: 'start' } };

function open(repeat = 1): { readonly book: ResultBook; readonly told: Result[] } {
  const told: Result[] = [];
  return { book: new ResultBook(jobs, { repeat, seed: 7 }, (result) => told.push(result)), told };
}

it('has a result for every job, in the order of the plan, however it ended', () => {
  const { book, told } = open();
  book.hostIs('a', { kernel: '6.12', distribution: '', cgroups: 'v2', arch: 'x64', accelerator: '', v8: '' });
  book.record(job('a', 'two'), fail, 'evidence/console.log');
  book.hostBroke('b', new HostBroken('panic', 'kernel panic'));
  book.missing('planned and never ran');
  expect(
    book.results().map(({ host, scenario, outcome, reason }) => [host, scenario, outcome, reason]),
  ).toEqual([
    ['a', 'one', 'missing', 'planned and never ran'],
    ['a', 'two', 'fail', 'broke'],
    ['b', 'one', 'infra', 'panic: kernel panic'],
  ]);
  expect(told).toHaveLength(3);
  expect(book.results()[1]).toMatchObject({
    kernel: '6.12',
    required: true,
    evidence: {
      step: 'start',
      console: 'evidence/console.log',
      rerun: "npm run scenarios -- --seed 7 'a/hull/vfs:crash/two'",
    },
  });
});

it('keeps the first result of a job: a host that breaks later does not change it', () => {
  const { book, told } = open();
  book.record(job('a', 'one'), pass);
  book.hostBroke('a', new HostBroken('hang', 'no word'));
  book.record(job('a', 'two'), pass);
  expect(book.results().map(({ outcome }) => outcome)).toEqual(['pass', 'infra']);
  expect(told).toHaveLength(2);
});

it.each<[string, ScenarioRecord[], Partial<Result>]>([
  ['all passed', [pass, pass, pass], { outcome: 'pass', durationMs: 15 }],
  [
    'some passed',
    [pass, fail, pass],
    { outcome: 'flaky', attempts: { passed: 2, total: 3 }, reason: 'passed 2 of 3; broke' },
  ],
  ['none passed', [fail, fail, fail], { outcome: 'fail', attempts: { passed: 0, total: 3 } }],
])('merges the runs of --repeat: %s', (_, records, expected) => {
  const { book, told } = open(3);
  for (const record of records) {
    expect(told).toHaveLength(0);
    book.record(job('a', 'one'), record);
  }
  expect(told).toEqual([expect.objectContaining(expected)]);
});
