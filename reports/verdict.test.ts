import { describe, expect, it } from 'vitest';
import { outcomes, type Result, type Results } from './schema.ts';
import { sampleResults } from './testing/sample.ts';
import { countsText, verdict } from './verdict.ts';

function run(...changes: readonly Partial<Result>[]): Results {
  const results = changes.map((change, index) => ({
    host: 'debian-13',
    kernel: '6.12',
    engine: 'hull',
    driver: 'overlay',
    area: 'area',
    scenario: `scenario-${index}`,
    outcome: 'pass' as const,
    durationMs: 1,
    required: true,
    ...change,
  }));
  return { ...sampleResults, hosts: [], results };
}

describe('verdict', () => {
  it('is green when every required result passed', () => {
    expect(verdict(run({}, {}))).toMatchObject({ ok: true, total: 2, blocking: [], reasons: [] });
  });

  it.each(outcomes.filter((outcome) => outcome !== 'pass'))(
    'is red for a required %s, and names it',
    (outcome) => {
      const { ok, blocking, reasons, counts } = verdict(run({}, { outcome, reason: 'because\nand more' }));
      expect(ok).toBe(false);
      expect(blocking).toHaveLength(1);
      expect(counts[outcome]).toBe(1);
      expect(reasons).toEqual([`debian-13/hull/overlay:area/scenario-1: ${outcome}: because`]);
    },
  );

  it.each(outcomes.filter((outcome) => outcome !== 'pass'))(
    'tolerates a %s that is not required',
    (outcome) => {
      const { ok, tolerated } = verdict(run({}, { outcome, reason: 'because', required: false }));
      expect(ok).toBe(true);
      expect(tolerated).toHaveLength(1);
    },
  );

  it('is red when nothing was tried', () => {
    expect(verdict(run())).toMatchObject({ ok: false, reasons: ['There is no result: nothing was tried'] });
  });

  it('is red for a host that broke and left no result', () => {
    const [host] = sampleResults.hosts;
    if (!host) throw new Error('the sample has no host');
    const broken = { ...host, name: 'lost', broken: { what: 'panic', message: 'Oops' } };
    expect(verdict({ ...run({}), hosts: [broken] }).reasons).toEqual([
      'lost: broke (panic) and has no result: Oops',
    ]);
  });

  it('counts in words', () => {
    expect(countsText(verdict(sampleResults).counts)).toBe('78 passed, 1 failed, 4 skipped, 1 flaky');
    expect(countsText(verdict(run()).counts)).toBe('no results');
  });
});
