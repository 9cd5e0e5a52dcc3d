import { join, relative } from 'node:path';
import type { Problem } from '../problems.ts';
import { type Evidence, jobOf } from '../schema.ts';
import { duration, oneLine, printable } from '../text.ts';
import { wrap } from './layout.ts';
import { label, type Style } from './style.ts';

/** Jobs, holders, leaks and lines of a reason that are shown; the rest is counted, and in the page. */
const listed = 8;
const indent = ' '.repeat(10);
const nameWidth = 8;

/**
 * A problem as it stands below the matrix: what, why, and everything that helps to find the cause.
 *
 * @param dir Folder of the report, or undefined while the run goes on and its evidence files have no place yet.
 */
export function problemLines(
  problem: Problem,
  dir: string | undefined,
  columns: number,
  style: Style,
): string[] {
  const [first] = problem.results;
  const notes = [
    problem.required ? '' : '(not required)',
    first.attempts ? `passed ${first.attempts.passed} of ${first.attempts.total}` : '',
    problem.results.length === 1 ? duration(first.durationMs) : '',
  ];
  const word = style.outcome[problem.outcome](label(problem.outcome).padEnd(nameWidth + 1));
  const title = style.bold(oneLine(problem.title));
  const reason = printable(problem.reason).trimEnd().split('\n');
  const jobs = problem.results.length > 1 ? problem.results.map(jobOf) : [];
  const fields: Field[] = [
    ...some(jobs, (job) => ({ name: '', text: job, whole: true })),
    ...(first.evidence ? evidenceFields(first.evidence, dir) : []),
  ];
  return [
    [`${word} ${title}`, ...notes.filter((note) => note !== '')].join('  '),
    ...reason
      .slice(0, listed)
      .flatMap((line) => wrap(line, columns - indent.length).map((part) => indent + part)),
    ...(reason.length > listed ? [`${indent}… ${reason.length - listed} more lines`] : []),
    ...fields.flatMap((field) => fieldLines(field, columns, style)),
  ];
}

interface Field {
  readonly name: string;
  readonly text: string;
  /** Never broken into lines, so that it can be copied. */
  readonly whole?: boolean;
}

function evidenceFields(evidence: Evidence, dir: string | undefined): Field[] {
  const { step, errno, holders = [], leaks = [], daemonLog, console, mountinfo, rerun } = evidence;
  const file = (name: string, path: string | undefined): Field[] =>
    path === undefined || dir === undefined
      ? []
      : [{ name, text: join(relative('.', dir), path), whole: true }];
  return [
    ...(step === undefined ? [] : [{ name: 'step', text: step }]),
    ...(errno === undefined ? [] : [{ name: 'errno', text: errno }]),
    ...some(holders, (holder) => ({ name: 'held', text: `by ${holder}` })),
    ...some(leaks, ({ kind, what, owner }) => ({
      name: 'leak',
      text: `${kind} ${what}${owner ? `, owner ${owner}` : ''}`,
    })),
    ...file('log', daemonLog),
    ...file('console', console),
    ...file('mounts', mountinfo),
    { name: 'again', text: oneLine(rerun), whole: true },
  ];
}

function fieldLines({ name, text, whole }: Field, columns: number, style: Style): string[] {
  const width = columns - indent.length - nameWidth;
  const lines = whole ? [text] : wrap(printable(text), width);
  return lines.map((line, index) => indent + style.dim((index === 0 ? name : '').padEnd(nameWidth)) + line);
}

function some<T>(values: readonly T[], field: (value: T) => Field): Field[] {
  const more = values.length - listed;
  return [
    ...values.slice(0, listed).map(field),
    ...(more > 0 ? [{ name: '', text: `and ${more} more` }] : []),
  ];
}
