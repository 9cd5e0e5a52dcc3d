import { type JobId, jobOf, type Outcome, type Result, type Results } from './schema.ts';

export const changeKinds = ['regressed', 'fixed', 'still failing', 'changed', 'new', 'gone'] as const;
export type ChangeKind = (typeof changeKinds)[number];

/** One job, now and in the baseline. `new` has no before, `gone` has no after. */
export interface Change {
  readonly kind: ChangeKind;
  readonly job: JobId;
  readonly before?: Result;
  readonly after?: Result;
}

/**
 * A run against a baseline, job by job; jobs that pass or skip in both are left out.
 *
 * - regressed: passed, and no longer does. A pass that became a skip counts: a feature was lost.
 * - fixed: did not pass, and now does.
 * - still failing: the same outcome, neither pass nor skip, in both.
 * - changed: did not pass in either, but ends otherwise.
 * - new and gone: on one side only.
 */
export interface Comparison {
  readonly baseline: Pick<Results, 'runId' | 'startedAt' | 'commit'>;
  readonly changes: readonly Change[];
  readonly counts: Readonly<Record<ChangeKind, number>>;
  /** Hosts of the baseline that this run has no result of: told apart, so that `--hosts x` does not read as a loss. */
  readonly absentHosts: readonly string[];
}

export function compareResults(now: Results, baseline: Results): Comparison {
  const before = new Map(baseline.results.map((result) => [jobOf(result), result]));
  const after = new Map(now.results.map((result) => [jobOf(result), result]));
  const hosts = new Set(now.results.map(({ host }) => host));
  const changes: Change[] = [];
  for (const [job, result] of after) {
    const old = before.get(job);
    const kind = old ? kindOf(old.outcome, result.outcome) : 'new';
    if (kind) changes.push({ kind, job: result, after: result, ...(old && { before: old }) });
  }
  for (const [job, result] of before) {
    if (!after.has(job) && hosts.has(result.host))
      changes.push({ kind: 'gone', job: result, before: result });
  }
  const counts: Record<ChangeKind, number> = {
    regressed: 0,
    fixed: 0,
    'still failing': 0,
    changed: 0,
    new: 0,
    gone: 0,
  };
  for (const { kind } of changes) counts[kind]++;
  return {
    baseline: {
      runId: baseline.runId,
      startedAt: baseline.startedAt,
      ...(baseline.commit !== undefined && { commit: baseline.commit }),
    },
    changes: changes.toSorted((a, b) => changeKinds.indexOf(a.kind) - changeKinds.indexOf(b.kind)),
    counts,
    absentHosts: [...new Set(baseline.results.map(({ host }) => host))].filter((host) => !hosts.has(host)),
  };
}

/**
 * What makes `compare` exit with 1: something regressed, a required job is gone, or a required job that was not tried before
 * (new, or skipped) does not pass.
 */
export function regressions(comparison: Comparison): readonly Change[] {
  return comparison.changes.filter(({ kind, before, after }) => {
    if (kind === 'regressed') return true;
    if (kind === 'gone') return before?.required === true;
    const wasNotTried = kind === 'new' || before?.outcome === 'skip';
    return wasNotTried && after?.required === true && after.outcome !== 'pass';
  });
}

/** `2 regressed, 1 fixed`, or `no changes`. */
export function comparisonText({ counts }: Comparison): string {
  const parts = changeKinds.filter((kind) => counts[kind] > 0).map((kind) => `${counts[kind]} ${kind}`);
  return parts.length === 0 ? 'no changes' : parts.join(', ');
}

/** `overlay on 2 hosts`-like groups would hide hosts: regressions are listed by host, then cell. */
export function changesByHost(changes: readonly Change[]): ReadonlyMap<string, readonly Change[]> {
  return Map.groupBy(changes, ({ job }) => job.host);
}

/** `pass → fail`, `new: fail`, `gone (was pass)`. */
export function changeText({ before, after }: Change): string {
  if (!before) return `new: ${after?.outcome ?? ''}`;
  if (!after) return `gone (was ${before.outcome})`;
  return before.outcome === after.outcome
    ? `${after.outcome}, as before`
    : `${before.outcome} → ${after.outcome}`;
}

function kindOf(before: Outcome, after: Outcome): ChangeKind | undefined {
  if (before === 'pass') return after === 'pass' ? undefined : 'regressed';
  if (after === 'pass') return 'fixed';
  if (before !== after) return 'changed';
  return after === 'skip' ? undefined : 'still failing';
}
