import { join, relative } from 'node:path';
import { type Comparison, changeText, comparisonText, regressions } from '../compare.ts';
import { type Problem, problemsOf } from '../problems.ts';
import { jobOf, type Results } from '../schema.ts';
import { count, duration, oneLine, printable } from '../text.ts';
import { countsText, verdict } from '../verdict.ts';
import type { ReportPaths } from '../write.ts';
import { cleanJob, cleanResults } from './clean.ts';
import { wrap } from './layout.ts';
import { scenarioMatrix, stateOfResults } from './matrix.ts';
import { label, type Style } from './style.ts';

export interface FinalInput {
  readonly results: Results;
  readonly paths?: ReportPaths;
  readonly comparison?: Comparison;
}

/** Jobs and holders named one by one; more than that is in the page. */
const listed = 8;

/** What stays on the screen: the matrix, what is not green and why, what changed, the verdict, where the reports are. */
export function finalView(input: FinalInput, columns: number, style: Style): string[] {
  const { paths, comparison } = input;
  const results = cleanResults(input.results);
  const dir = paths && join(paths.json, '..');
  const lines = [...scenarioMatrix(stateOfResults(results.results), columns, style), ''];
  for (const host of results.hosts) {
    if (!host.broken) continue;
    const text = `! ${host.name} broke (${host.broken.what}): ${oneLine(host.broken.message)}`;
    lines.push(...wrap(text, columns).map(style.outcome.infra), '');
  }
  for (const problem of problemsOf(results.results))
    lines.push(...problemLines(problem, dir, columns, style), '');
  if (comparison) lines.push(...comparisonLines(comparison, columns), '');
  const { ok, counts, reasons } = verdict(results);
  const hosts = count(new Set(results.results.map(({ host }) => host)).size, 'host');
  lines.push(`${countsText(counts)} on ${hosts} in ${duration(results.durationMs)}`);
  lines.push(
    ok
      ? style.outcome.pass('✓ green: every required result passed')
      : style.outcome.fail(`✗ red: ${reasons.length === 1 ? 'one reason' : `${reasons.length} reasons`}`),
  );
  if (results.results.length === 0) lines.push(...reasons);
  if (paths) {
    lines.push(
      '',
      ...Object.values(paths).map(
        (path: string) => `  ${relative('.', path).startsWith('..') ? path : relative('.', path)}`,
      ),
    );
  }
  return lines;
}

export function problemLines(
  problem: Problem,
  dir: string | undefined,
  columns: number,
  style: Style,
): string[] {
  const [first] = problem.results;
  const { evidence } = first;
  const indent = 10;
  const field = (name: string, text: string, whole = false): string[] => {
    const width = columns - indent - 8;
    const lines = whole
      ? [text]
      : printable(text)
          .split('\n')
          .flatMap((line) => wrap(line, width));
    return lines.map(
      (line, index) => `${' '.repeat(indent)}${style.dim((index === 0 ? name : '').padEnd(8))}${line}`,
    );
  };
  const some = <T>(values: readonly T[], show: (value: T) => string[]): string[] => [
    ...values.slice(0, listed).flatMap(show),
    ...(values.length > listed ? field('', `and ${values.length - listed} more`) : []),
  ];
  const word = label(problem.outcome).padEnd(9);
  const notes = [
    problem.required ? '' : '(not required)',
    problem.results.length === 1 ? duration(first.durationMs) : '',
  ];
  const title = [oneLine(problem.title), ...notes.filter((note) => note !== '')].join('  ');
  const lines = [`${style.outcome[problem.outcome](word)} ${style.bold(title)}`];
  const attempts = first.attempts ? ` (passed ${first.attempts.passed} of ${first.attempts.total})` : '';
  for (const line of printable(`${problem.reason}${attempts}`).split('\n').slice(0, listed)) {
    lines.push(...wrap(line, columns - indent).map((part) => `${' '.repeat(indent)}${part}`));
  }
  if (problem.results.length > 1)
    lines.push(...some(problem.results, (result) => field('', jobOf(result), true)));
  if (!evidence) return lines;
  if (evidence.step) lines.push(...field('step', evidence.step));
  if (evidence.errno) lines.push(...field('errno', evidence.errno));
  lines.push(...some(evidence.holders ?? [], (holder) => field('held', `by ${holder}`)));
  lines.push(
    ...some(evidence.leaks ?? [], ({ kind, what, owner }) =>
      field('leak', `${kind} ${what}${owner ? `, owner ${owner}` : ''}`),
    ),
  );
  for (const [name, path] of [
    ['log', evidence.daemonLog],
    ['console', evidence.console],
    ['mounts', evidence.mountinfo],
  ] as const) {
    if (path) lines.push(...field(name, `${dir ? join(relative('.', dir), path) : path}`, true));
  }
  lines.push(...field('again', oneLine(evidence.rerun), true));
  return lines;
}

function comparisonLines(comparison: Comparison, columns: number): string[] {
  const { baseline } = comparison;
  const since = baseline.commit
    ? `commit ${oneLine(baseline.commit).slice(0, 12)}`
    : `run ${oneLine(baseline.runId)}`;
  const lines = [`Since ${since}: ${comparisonText(comparison)}`];
  for (const change of regressions(comparison)) {
    lines.push(...wrap(`  ${changeText(change)}  ${jobOf(cleanJob(change.job))}`, columns));
  }
  if (comparison.absentHosts.length > 0)
    lines.push(`  not in this run: ${oneLine(comparison.absentHosts.join(', '))}`);
  return lines;
}
