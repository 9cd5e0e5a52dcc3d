import { join, relative } from 'node:path';
import { type Comparison, changeText, comparisonText, regressions } from '../compare.ts';
import { problemsOf } from '../problems.ts';
import { jobOf, type Results } from '../schema.ts';
import { count, duration, firstLine, oneLine } from '../text.ts';
import { countsText, greenText, verdict } from '../verdict.ts';
import type { ReportPaths } from '../write.ts';
import { cleanJob, cleanResults } from './clean.ts';
import { clip, wrap } from './layout.ts';
import { scenarioMatrix, stateOfResults } from './matrix.ts';
import { problemLines } from './problem-lines.ts';
import { label, type Style } from './style.ts';

export interface FinalInput {
  readonly results: Results;
  readonly paths?: ReportPaths;
  readonly comparison?: Comparison;
}

/** Problems with all that is known of them; each further one has a line. */
const toldInFull = 12;

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
  const problems = problemsOf(results.results);
  for (const problem of problems.slice(0, toldInFull)) {
    lines.push(...problemLines(problem, dir, columns, style), '');
  }
  const rest = problems.slice(toldInFull).map(({ outcome, title, reason }) => {
    return style.outcome[outcome](
      clip(`${label(outcome).padEnd(9)} ${title}: ${firstLine(reason)}`, columns),
    );
  });
  if (rest.length > 0) lines.push(...rest, '');
  if (comparison) lines.push(...comparisonLines(comparison, columns), '');
  const { ok, counts, reasons } = verdict(results);
  const hosts = count(new Set(results.results.map(({ host }) => host)).size, 'host');
  lines.push(`${countsText(counts)} on ${hosts} in ${duration(results.durationMs)}`);
  lines.push(
    ok
      ? style.outcome.pass(`✓ green: ${greenText(results)}`)
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
