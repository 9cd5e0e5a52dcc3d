import { expect, it } from 'vitest';
import { BenchResult, type BenchRow, ratiosOf } from './result.ts';
import { renderTable } from './table.ts';

const row = (subject: string, median: number, driver?: string): BenchRow => ({
  task: 'run-to-exit',
  subject,
  ...(driver === undefined ? {} : { driver }),
  unit: 'ms',
  median,
  p95: median * 2,
  samples: 20,
});

const rows = [row('hull', 4.4, 'overlay'), row('crun', 11), row('runc', 88)];
const result: BenchResult = {
  version: 1,
  startedAt: '2026-01-01T00:00:00.000Z',
  seconds: 12,
  machine: {
    kernel: '6.18.0',
    arch: 'x64',
    cpus: 2,
    cpu: 'A processor',
    memoryBytes: 2 ** 30,
    node: 'v24.0.0',
    loadBefore: [0.1, 0.2, 0.3],
    loadAfter: [1.25, 1, 1],
  },
  options: { samples: 20, warmup: 2, seed: 7, budget: 15, payload: 36 },
  rows,
  ratios: ratiosOf(rows),
  absent: [
    { task: 'run-to-exit', subject: 'docker', reason: 'no dockerd on the PATH', failed: false },
    { task: 'exec', subject: 'docker', reason: 'no dockerd on the PATH', failed: false },
    { task: 'exec', subject: 'runc', reason: 'status 1: no', failed: true },
  ],
};

it('prints medians with three digits, ratios to the reference, and who is missing why', () => {
  const tasks = [{ name: 'run-to-exit', references: ['docker', 'crun'] as const }];
  expect(renderTable(result, tasks)).toBe(
    [
      '| task        | subject      | unit | median |  p95 | samples | ratio |',
      '| ----------- | ------------ | ---- | -----: | ---: | ------: | ----: |',
      '| run-to-exit | hull/overlay | ms   |   4.40 | 8.80 |      20 |  0.40 |',
      '| run-to-exit | crun         | ms   |   11.0 | 22.0 |      20 |     1 |',
      '| run-to-exit | runc         | ms   |   88.0 |  176 |      20 |  8.00 |',
      '',
      '- docker absent: no dockerd on the PATH (run-to-exit, exec)',
      '- runc FAILED: status 1: no (exec)',
      '',
      '2 × A processor, kernel 6.18.0; load 0.10 before, 1.25 after; seed 7',
    ].join('\n'),
  );
});

it('has a ratio for every ordered pair of a task, and for none across tasks', () => {
  const ratios = ratiosOf([...rows, { ...row('crun', 5), task: 'exec' }]);
  expect(ratios).toHaveLength(6);
  expect(ratios).toContainEqual({
    task: 'run-to-exit',
    subject: 'hull',
    driver: 'overlay',
    to: 'crun',
    ratio: 0.4,
  });
  expect(ratios).toContainEqual({
    task: 'run-to-exit',
    subject: 'runc',
    to: 'hull',
    toDriver: 'overlay',
    ratio: 20,
  });
});

it('the schema takes such a result and refuses one with a stray or a missing value', () => {
  expect(BenchResult.parse(result)).toEqual(result);
  expect(BenchResult.safeParse({ ...result, extra: 1 }).success).toBe(false);
  expect(BenchResult.safeParse({ ...result, rows: [{ ...row('crun', 1), p95: Number.NaN }] }).success).toBe(
    false,
  );
});
