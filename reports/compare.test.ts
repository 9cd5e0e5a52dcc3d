import { describe, expect, it } from 'vitest';
import { changesByHost, changeText, compareResults, comparisonText, regressions } from './compare.ts';
import { jobOf, type Outcome, type Results } from './schema.ts';
import { sampleBaseline, sampleResults } from './testing/sample.ts';

/** `name` → outcome, in one cell unless the name has a host: `host!name`. */
function run(outcomes: Readonly<Record<string, Outcome>>, required = true): Results {
  const results = Object.entries(outcomes).map(([key, outcome]) => {
    const [host, scenario] = key.includes('!') ? key.split('!') : ['debian-13', key];
    const names = { host: host ?? '', engine: 'hull', driver: 'vfs', area: 'area', scenario: scenario ?? '' };
    return { ...names, kernel: '6.12', outcome, durationMs: 1, required, reason: 'r' };
  });
  return { ...sampleResults, results };
}

describe('compareResults', () => {
  it.each<[Outcome, Outcome, string | undefined]>([
    ['pass', 'pass', undefined],
    ['skip', 'skip', undefined],
    ['pass', 'fail', 'regressed'],
    ['pass', 'skip', 'regressed'],
    ['pass', 'missing', 'regressed'],
    ['pass', 'flaky', 'regressed'],
    ['fail', 'pass', 'fixed'],
    ['skip', 'pass', 'fixed'],
    ['fail', 'fail', 'still failing'],
    ['flaky', 'flaky', 'still failing'],
    ['fail', 'infra', 'changed'],
    ['skip', 'fail', 'changed'],
  ])('%s → %s is %s', (before, after, kind) => {
    const { changes } = compareResults(run({ a: after }), run({ a: before }));
    expect(changes.map((change) => change.kind)).toEqual(kind ? [kind] : []);
  });

  it('tells new and gone jobs, and keeps hosts that took no part apart', () => {
    const comparison = compareResults(
      run({ a: 'pass', new: 'pass' }),
      run({ a: 'pass', gone: 'fail', 'debian-11!a': 'pass' }),
    );
    expect(comparison.changes.map((change) => `${change.kind}: ${changeText(change)}`)).toEqual([
      'new: new: pass',
      'gone: gone (was fail)',
    ]);
    expect(comparison.absentHosts).toEqual(['debian-11']);
    expect(comparisonText(comparison)).toBe('1 new, 1 gone');
  });

  it('compares each host with itself', () => {
    const { changes } = compareResults(
      run({ 'debian-11!a': 'fail', 'debian-13!a': 'pass' }),
      run({ 'debian-11!a': 'pass', 'debian-13!a': 'fail' }),
    );
    const byHost = [...changesByHost(changes)].map(([host, own]) => [host, own.map(({ kind }) => kind)]);
    expect(byHost).toEqual([
      ['debian-11', ['regressed']],
      ['debian-13', ['fixed']],
    ]);
  });

  it('finds what changed between the sample and its baseline', () => {
    const comparison = compareResults(sampleResults, sampleBaseline);
    expect(comparisonText(comparison)).toBe('1 regressed, 1 fixed, 1 still failing');
    expect(regressions(comparison).map(({ job }) => jobOf(job))).toEqual([
      'debian-11/hull/devicemapper:umount/released-when-holder-goes',
    ]);
  });

  it('finds nothing between a run and itself', () => {
    expect(comparisonText(compareResults(run({ a: 'pass', b: 'skip' }), run({ a: 'pass', b: 'skip' })))).toBe(
      'no changes',
    );
  });
});

describe('regressions', () => {
  it.each<[string, Record<string, Outcome>, Record<string, Outcome>, number]>([
    ['a pass that became a skip', { a: 'pass' }, { a: 'skip' }, 1],
    ['a required job that is gone', { a: 'pass', b: 'pass' }, { a: 'pass' }, 1],
    ['a required new job that fails', { a: 'pass' }, { a: 'pass', b: 'fail' }, 1],
    ['a skip that became a failure', { a: 'skip' }, { a: 'fail' }, 1],
    ['a new job that passes', { a: 'pass' }, { a: 'pass', b: 'pass' }, 0],
    ['a failure that became another', { a: 'fail' }, { a: 'infra' }, 0],
    ['a failure that stays', { a: 'fail' }, { a: 'fail' }, 0],
  ])('%s', (_, before, after, wanted) => {
    expect(regressions(compareResults(run(after), run(before)))).toHaveLength(wanted);
  });

  it('lets jobs that are not required come and go', () => {
    const comparison = compareResults(
      run({ a: 'pass', b: 'fail' }, false),
      run({ a: 'pass', c: 'pass' }, false),
    );
    expect(regressions(comparison)).toEqual([]);
  });
});
