import { jobOf, type Outcome, outcomes, type Result, type Results } from './schema.ts';

/** The exit verdict as data: the command line, the terminal and the page all say what this says. */
export interface Verdict {
  /** The run is green: exit status 0. */
  readonly ok: boolean;
  readonly total: number;
  readonly counts: Readonly<Record<Outcome, number>>;
  /** Required results that did not pass: each makes the run red. */
  readonly blocking: readonly Result[];
  /** Results that did not pass and need not: told, never hidden, and not red. */
  readonly tolerated: readonly Result[];
  /** One sentence each; empty when ok. */
  readonly reasons: readonly string[];
}

/**
 * Green only if there are results and every required one passed. A required skip is red: the host was meant to have the
 * feature. A host that broke before any of its jobs was recorded is red too, or a run that lost half its plan could be green.
 */
export function verdict(results: Pick<Results, 'results' | 'hosts'>): Verdict {
  const counts: Record<Outcome, number> = { pass: 0, fail: 0, skip: 0, flaky: 0, infra: 0, missing: 0 };
  for (const result of results.results) counts[result.outcome]++;
  const notPassed = results.results.filter((result) => result.outcome !== 'pass');
  const blocking = notPassed.filter((result) => result.required);
  const reasons = blocking.map((result) => `${jobOf(result)}: ${result.outcome}${because(result)}`);
  if (results.results.length === 0) reasons.unshift('There is no result: nothing was tried');
  for (const host of results.hosts) {
    if (!host.broken || results.results.some((result) => result.host === host.name)) continue;
    reasons.push(`${host.name}: broke (${host.broken.what}) and has no result: ${host.broken.message}`);
  }
  return {
    ok: reasons.length === 0,
    total: results.results.length,
    counts,
    blocking,
    tolerated: notPassed.filter((result) => !result.required),
    reasons,
  };
}

/** What green rests on: a run of a reference engine alone is green whatever it found, and says so. */
export function greenText({ results }: Pick<Results, 'results'>): string {
  const tolerated = results.filter(({ required, outcome }) => !required && outcome !== 'pass').length;
  const rest = tolerated === 0 ? '' : `; ${tolerated} that need not did not`;
  return `${results.some(({ required }) => required) ? 'every required result passed' : 'no result was required'}${rest}`;
}

/** `68 passed, 2 failed, 1 skipped`: only what occurred, in the outcomes' order. */
export function countsText(counts: Readonly<Record<Outcome, number>>): string {
  const words: Record<Outcome, string> = {
    pass: 'passed',
    fail: 'failed',
    skip: 'skipped',
    flaky: 'flaky',
    infra: 'infra',
    missing: 'missing',
  };
  const parts = outcomes
    .filter((outcome) => counts[outcome] > 0)
    .map((outcome) => `${counts[outcome]} ${words[outcome]}`);
  return parts.length === 0 ? 'no results' : parts.join(', ');
}

function because(result: Result): string {
  const line = result.reason?.split('\n', 1)[0];
  return line ? `: ${line}` : '';
}
