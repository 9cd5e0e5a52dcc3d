import { cellOf, jobOf, type Outcome, type Result, scenarioOf } from './schema.ts';
import { count } from './text.ts';

/**
 * What did not pass, in the order in which it should be read. A failure stands alone. Infra, missing and skip often have one cause
 * for many jobs (a host that broke, a feature that is not there): those with the same reason are one problem.
 */
export interface Problem {
  readonly outcome: Exclude<Outcome, 'pass'>;
  readonly required: boolean;
  readonly title: string;
  readonly reason: string;
  /** At least one. */
  readonly results: readonly [Result, ...Result[]];
}

const readingOrder = ['fail', 'flaky', 'infra', 'missing', 'skip'] as const;

export function problemsOf(results: readonly Result[]): readonly Problem[] {
  const groups = Map.groupBy(
    results.filter(({ outcome }) => outcome !== 'pass'),
    (result) => `${result.required}\0${result.outcome}\0${groupKey(result)}\0${result.reason}`,
  );
  const problems: Problem[] = [];
  for (const [first, ...rest] of groups.values()) {
    if (!first || first.outcome === 'pass') continue;
    const title = rest.length === 0 ? jobOf(first) : common([first, ...rest]);
    const reason = first.reason ?? 'no reason was given';
    problems.push({
      outcome: first.outcome,
      required: first.required,
      title,
      reason,
      results: [first, ...rest],
    });
  }
  return problems.toSorted((a, b) => rank(a) - rank(b));
}

function rank({ required, outcome }: Problem): number {
  return (required ? 0 : readingOrder.length) + readingOrder.indexOf(outcome);
}

function groupKey(result: Result): string {
  switch (result.outcome) {
    case 'infra':
    case 'missing':
      return result.host;
    case 'skip':
      return '';
    default:
      return jobOf(result);
  }
}

/** The longest name that holds for all of them. */
function common(results: readonly Result[]): string {
  const cells = new Set(results.map(cellOf));
  const [only] = cells;
  if (cells.size === 1 && only !== undefined) return `${only}: ${count(results.length, 'scenario')}`;
  const [scenario, ...others] = new Set(results.map(scenarioOf));
  if (scenario !== undefined && others.length === 0) return `${scenario} in ${count(cells.size, 'cell')}`;
  const hosts = new Set(results.map(({ host }) => host));
  const drivers = new Set(results.map(({ engine, driver }) => `${engine}/${driver}`));
  const where = hosts.size === 1 ? [...hosts].join('') : count(hosts.size, 'host');
  const what = drivers.size === 1 ? [...drivers].join('') : count(cells.size, 'cell');
  return `${what} on ${where}: ${count(results.length, 'scenario')}`;
}
