import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { ReportError } from './errors.ts';
import { jobOf, type Result, Results } from './schema.ts';

const shownProblems = 5;

/**
 * Results from the text of a results.json. `from` names the source in errors, which tell field, value found and value wanted:
 *
 *     Cannot read results from shard-2/results.json: results[3].outcome is "passed", wanted one of pass, fail, …
 */
export function parseResults(text: string, from: string): Results {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason =
      text.trim() === '' ? 'the file is empty' : cause instanceof Error ? cause.message : String(cause);
    throw new ReportError(`Cannot read results from ${from}: not JSON: ${reason}`, { cause });
  }
  return checkResults(value, `Cannot read results from ${from}`);
}

/** @throws ReportError when the file is not there or is not a results.json. */
export async function readResults(file: string): Promise<Results> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new ReportError(
      `Cannot read results from ${file}: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
      },
    );
  }
  return parseResults(text, file);
}

/** The value as Results, or an error that opens with `doing`. Also checks what a JSON Schema cannot say. */
export function checkResults(value: unknown, doing: string): Results {
  const parsed = Results.safeParse(value);
  const problems = parsed.success
    ? [...parsed.data.results.flatMap(incomplete), ...repeated(parsed.data.results)]
    : parsed.error.issues.map((issue) => `${fieldName(issue.path)} ${sentence(issue, value)}`);
  if (parsed.success && problems.length === 0) return parsed.data;
  const more = problems.length - shownProblems;
  throw new ReportError(
    `${doing}: ${problems.slice(0, shownProblems).join('; ')}${more > 0 ? `; and ${more} more` : ''}`,
  );
}

function incomplete(result: Result, index: number): string[] {
  const problems: string[] = [];
  if (result.outcome !== 'pass' && !result.reason?.trim()) {
    problems.push(
      `results[${index}].reason ${found(result.reason)}, wanted the reason of the ${result.outcome}`,
    );
  }
  if (result.outcome === 'flaky' && !result.attempts) {
    problems.push(
      `results[${index}].attempts is missing, wanted passed and total, because the outcome is flaky`,
    );
  }
  if (result.attempts && result.attempts.passed > result.attempts.total) {
    problems.push(
      `results[${index}].attempts.passed is ${result.attempts.passed}, wanted at most the total, ${result.attempts.total}`,
    );
  }
  return problems;
}

/** One job, one result: attempts are counted inside of it. */
function repeated(results: readonly Result[]): string[] {
  const first = new Map<string, number>();
  return results.flatMap((result, index) => {
    const job = jobOf(result);
    const earlier = first.get(job);
    first.set(job, earlier ?? index);
    return earlier === undefined
      ? []
      : [`results[${index}] is ${job} again, wanted it only as results[${earlier}]`];
  });
}

function sentence(issue: z.core.$ZodIssue, root: unknown): string {
  return `${found(valueAt(root, issue.path))}, wanted ${wanted(issue)}`;
}

function wanted(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `a value of type ${issue.expected}`;
    case 'invalid_value':
      return issue.values.length === 1
        ? show(issue.values[0])
        : `one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'invalid_format':
      return issue.format === 'datetime' ? 'a time such as 2026-01-31T12:00:00Z' : issue.message;
    default:
      return issue.message;
  }
}

function fieldName(path: readonly PropertyKey[]): string {
  const name = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return name.replace(/^\./, '') || 'the file';
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined),
    root,
  );
}

function found(value: unknown): string {
  return value === undefined ? 'is missing' : `is ${show(value)}`;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
