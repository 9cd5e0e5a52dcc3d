import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { type JobId, jobOf, type Results } from '../schema.ts';
import { controlCharacters, hostileResults } from '../testing/hostile.ts';
import { sampleBaseline, sampleJobs, sampleResults } from '../testing/sample.ts';
import { liveFrame } from './live-view.ts';
import { Progress } from './progress.ts';
import { createStyle } from './style.ts';
import { TerminalReport } from './terminal-report.ts';

const paths = {
  json: 'reports/latest/results.json',
  junit: 'reports/latest/junit.xml',
  summary: 'reports/latest/summary.md',
  html: 'reports/latest/index.html',
};

class Screen {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number;
  readonly rows: number;

  constructor(isTTY: boolean, columns = 80, rows = 24) {
    this.isTTY = isTTY;
    this.columns = columns;
    this.rows = rows;
  }

  write(text: string): void {
    this.text += text;
  }
}

/** The sample as it would have run; each call of the clock is 100 ms later. */
function play(screen: Screen, env: Record<string, string>, results: Results = sampleResults): string {
  let time = 0;
  const report = new TerminalReport({
    stream: screen,
    now: () => (time += 100),
    env,
    baseline: sampleBaseline,
    refreshMs: 60_000,
  });
  report.plan(results.results);
  for (const host of results.hosts) {
    report.hostProgress(host.name, 'boots');
    report.hostProgress(host.name, 'boots');
    for (const phase of host.phases) report.hostPhase(host.name, phase);
  }
  report.note('kvm cannot boot a stock kernel: using tcg');
  for (const result of results.results) {
    report.started(result);
    report.result(result);
  }
  report.finish(results, paths);
  return screen.text;
}

/** Paths, jobs and commands are never broken: they are there to be copied. */
function tooLong(text: string, columns: number): string[] {
  return text
    .split('\n')
    .filter((line) => [...line].length > columns && !/\S{40}|npm run scenarios/.test(line));
}

describe('TerminalReport', () => {
  it('writes a line per event into a log, then the matrix, problems, changes and paths', async () => {
    const text = play(new Screen(false), {});
    await expect(text).toMatchFileSnapshot('../testing/golden/log.txt');
    expect(text).not.toContain('\u001b');
    expect(tooLong(text.slice(text.indexOf('\n\n')), 80)).toEqual([]);
  });

  it('writes the same with CI set, although there is a terminal', () => {
    expect(play(new Screen(true), { CI: 'true', NO_COLOR: '1' })).toBe(play(new Screen(false), {}));
  });

  it('redraws in place on a terminal, and ends with the same view as a log', () => {
    const text = play(new Screen(true), { TERM: 'xterm' });
    const end = stripVTControlCharacters(play(new Screen(false), {}));
    expect(text).toContain('\u001b[');
    expect(stripVTControlCharacters(text).endsWith(end.slice(end.indexOf('\n\n')))).toBe(true);
  });

  it('has no colour with NO_COLOR, and colour in a log with FORCE_COLOR', () => {
    const colour = new RegExp(`${String.fromCharCode(27)}[[0-9;]*m`);
    expect(play(new Screen(true), { TERM: 'xterm', NO_COLOR: '1' })).not.toMatch(colour);
    expect(play(new Screen(false), { FORCE_COLOR: '1' })).toMatch(colour);
  });

  it('lets no text of a host steer the terminal', () => {
    expect(controlCharacters(play(new Screen(false), {}, hostileResults))).toEqual([]);
  });

  it('tells a dozen problems in full, and each further one on a line', () => {
    const results = sampleResults.results.slice(0, 40).map((result, index) => ({
      ...result,
      outcome: 'fail' as const,
      reason: `reason ${index} ${'and so on '.repeat(20)}`,
      evidence: { rerun: `again ${index}` },
    }));
    const text = play(new Screen(false, 140), {}, { ...sampleResults, results });
    const end = text.slice(text.indexOf('\n\n'));
    expect(end.match(/^ +again +again \d+$/gm)).toHaveLength(12);
    expect(end.match(/^✗ fail .*: reason \d+ .*…$/gm)).toHaveLength(28);
  });

  it.each([
    [true, 'pass', '✓ green: every required result passed'],
    [false, 'fail', '✓ green: no result was required; 40 that need not did not'],
  ] as const)('says what green rests on: required %s, outcome %s', (required, outcome, sentence) => {
    const results = sampleResults.results.slice(0, 40).map((result) => ({ ...result, required, outcome }));
    const lines = play(new Screen(false), {}, { ...sampleResults, hosts: [], results }).split('\n');
    expect(lines.filter((line) => line.includes('green'))).toEqual([sentence]);
  });

  it('tells once above the matrix why a whole host broke', () => {
    const results = sampleResults.results.map((result) =>
      result.host === 'debian-11'
        ? { ...result, required: true, outcome: 'infra' as const, reason: 'panic: Oops' }
        : result,
    );
    const text = stripVTControlCharacters(
      play(new Screen(true), { TERM: 'xterm' }, { ...sampleResults, results }),
    );
    expect(text.match(/panic: Oops/g)).toHaveLength(2);
  });

  it('stops cleanly, twice if need be, and draws no more', () => {
    vi.useFakeTimers();
    try {
      const screen = new Screen(true);
      const report = new TerminalReport({ stream: screen, env: { TERM: 'xterm' }, refreshMs: 10 });
      report.plan(sampleJobs);
      vi.advanceTimersByTime(100);
      report.stop();
      report.stop();
      const before = screen.text;
      expect(before).toContain('0 of 84 done');
      vi.advanceTimersByTime(1_000);
      expect(screen.text).toBe(before);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

/** A run in its middle. */
function halfway(jobs: readonly JobId[]): Progress {
  const progress = new Progress(0);
  progress.plan(jobs);
  progress.hostPhase('debian-11', { name: 'resume', durationMs: 240 });
  progress.hostPhase('debian-11', { name: 'ssh', durationMs: 1_720 });
  progress.hostProgress('debian-13', 'waits for SSH', 1_000);
  const results = sampleResults.results.filter(({ host }) => host === 'debian-11');
  for (const result of results.filter(({ driver, outcome }) => driver === 'overlay' || outcome === 'fail')) {
    progress.result(result);
  }
  const [next] = results.filter(({ driver }) => driver === 'vfs');
  if (next) progress.started(next, 60_000);
  return progress;
}

describe('liveFrame', () => {
  const plain = createStyle(false);

  it.each([
    ['the scenarios on a large terminal', 100, 50, 'live-scenarios.txt'],
    ['the areas on a usual one', 80, 24, 'live-areas.txt'],
    ['the hosts on a small one', 60, 12, 'live-hosts.txt'],
  ])('shows %s', async (_, columns, rows, golden) => {
    const frame = liveFrame(halfway(sampleJobs), 63_000, { columns, rows }, plain);
    await expect(`${frame}\n`).toMatchFileSnapshot(`../testing/golden/${golden}`);
  });

  it.each([
    [40, 5],
    [60, 12],
    [80, 24],
    [100, 50],
    [300, 100],
  ])('fits %d × %d, or log-update would leave torn lines behind', (columns, rows) => {
    const lines = liveFrame(halfway(sampleJobs), 63_000, { columns, rows }, plain).split('\n');
    expect(lines.length).toBeLessThan(rows);
    expect(lines.slice(1).filter((line) => [...line].length > columns)).toEqual([]);
  });

  it('tells running, waiting and done apart without colour', () => {
    const frame = liveFrame(halfway(sampleJobs), 63_000, { columns: 100, rows: 50 }, plain);
    expect(frame).toContain('✗ fail');
    expect(frame).toMatch(/^▸ runs +3\.0 s/m);
    expect(frame).toContain(
      jobOf(sampleJobs.find(({ driver }) => driver === 'vfs') ?? expect.fail('no job')),
    );
    expect(frame).toContain('·');
  });
});
