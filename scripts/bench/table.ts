import type { BenchAbsence, BenchResult } from './result.ts';
import { nameOf, type Task } from './task.ts';

const columns = ['task', 'subject', 'unit', 'median', 'p95', 'samples', 'ratio'] as const;

/** The table people read, then who is missing and why. Markdown, without colour: it is pasted into pages. */
export function renderTable(
  result: BenchResult,
  tasks: readonly Pick<Task, 'name' | 'references'>[],
): string {
  const lines = tasks.flatMap(({ name, references }) => {
    const rows = result.rows.filter(({ task }) => task === name);
    const reference = references.flatMap((subject) => rows.filter((row) => row.subject === subject))[0];
    return rows.map((row) => [
      name,
      nameOf(row),
      row.unit,
      threeDigits(row.median),
      threeDigits(row.p95),
      String(row.samples),
      reference === undefined ? '' : row === reference ? '1' : (row.median / reference.median).toFixed(2),
    ]);
  });
  const { loadBefore, loadAfter, kernel, cpus, cpu } = result.machine;
  const load = (averages: readonly number[]) => averages[0]?.toFixed(2) ?? '';
  return [
    ...layOut([[...columns], ...lines]),
    '',
    ...absences(result.absent),
    `${cpus} × ${cpu}, kernel ${kernel}; load ${load(loadBefore)} before, ${load(loadAfter)} after; seed ${result.options.seed}`,
  ].join('\n');
}

/** Three digits that count. */
export function threeDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** One line per subject and reason, with the tasks it is missing from. */
function absences(absent: readonly BenchAbsence[]): string[] {
  const tasksOf = new Map<string, string[]>();
  for (const absence of absent) {
    const line = `- ${nameOf(absence)} ${absence.failed ? 'FAILED' : 'absent'}: ${absence.reason}`;
    tasksOf.set(line, [...(tasksOf.get(line) ?? []), absence.task]);
  }
  const lines = [...tasksOf].map(([line, tasks]) => `${line} (${tasks.join(', ')})`);
  return lines.length === 0 ? [] : [...lines, ''];
}

/** A Markdown table, in columns for those who read it as text. */
function layOut([header = [], ...rows]: readonly (readonly string[])[]): string[] {
  const widths = columns.map((_, index) =>
    Math.max(3, ...[header, ...rows].map((row) => row[index]?.length ?? 0)),
  );
  const isText = (index: number) => index < 3;
  const cell = (text: string, index: number) =>
    isText(index) ? text.padEnd(widths[index] ?? 0) : text.padStart(widths[index] ?? 0);
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = widths.map((width, index) =>
    isText(index) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(header.map(cell)), line(rule), ...rows.map((row) => line(row.map(cell)))];
}
