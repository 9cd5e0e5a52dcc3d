import { setTimeout as sleep } from 'node:timers/promises';
import type { Snapshot } from '../leaks/types.ts';
import type { CellRun, ScenarioRecord } from './cell-run.ts';
import type { CellSession } from './cell-session.ts';
import { ScenarioSkip, ScenarioTimeout } from './errors.ts';
import { gatherEvidence } from './evidence.ts';
import { RunningScenario } from './running-scenario.ts';
import type { ScenarioBody, ScenarioOptions } from './scenario.ts';
import { cellSession } from './worker-state.ts';

export interface ScenarioRun {
  readonly area: string;
  readonly id: string;
  /** Which of `repeat` runs, from 1. */
  readonly run: number;
  readonly options: ScenarioOptions;
  readonly body: ScenarioBody;
  readonly cell: CellRun;
}

export const defaultTimeoutMs = 60_000;
/** How long a body may take to see that its calls were aborted. Engine verbs cannot be cut short and have their own ends. */
const graceMs = 45_000;

/** Runs a scenario, again after a failure where retries are asked for. Never throws: whatever happened is the record. */
export async function runScenario(scenario: ScenarioRun): Promise<ScenarioRecord> {
  const started = performance.now();
  let first: ScenarioRecord | undefined;
  for (let total = 1; ; total += 1) {
    const record = await attempt(scenario, total);
    first ??= record;
    const durationMs = Math.round(performance.now() - started);
    if (record.outcome === 'fail' && total <= scenario.cell.retries) continue;
    if (total === 1) return { ...record, durationMs };
    if (record.outcome !== 'pass') return { ...record, durationMs, attempts: { passed: 0, total } };
    const reason = `passed in run ${total} of ${total}; before: ${first.reason ?? 'no reason'}`;
    return { ...first, outcome: 'flaky', reason, durationMs, attempts: { passed: 1, total } };
  }
}

async function attempt(scenario: ScenarioRun, number: number): Promise<ScenarioRecord> {
  let session: CellSession;
  try {
    session = await cellSession(scenario.cell);
  } catch (error) {
    return { outcome: 'infra', reason: `Cannot open the cell: ${text(error)}`, durationMs: 0 };
  }
  const running = new RunningScenario(
    session,
    `${scenario.id}-${scenario.run}-${number}`,
    scenario.options.allow,
  );
  let before: Snapshot | undefined;
  try {
    session.engine.markLog();
    running.step('prepare the engine');
    await session.prepare();
    running.step('look at the host');
    before = await session.look();
    await runBody(scenario, running, before);
  } catch (error) {
    running.fail(error);
  }
  await restore(scenario, running, before);
  return conclude(scenario, running);
}

/** The body against its clock. Afterwards it has ended, or it was given up and the failure says so. */
async function runBody(
  { options, body }: ScenarioRun,
  running: RunningScenario,
  before: Snapshot,
): Promise<void> {
  const limit = (options.timeoutMs ?? defaultTimeoutMs) * running.session.patience;
  const timer = setTimeout(() => running.abort(new ScenarioTimeout(limit, running.steps)), limit);
  running.step('run');
  const ended = body(running.context(before)).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  try {
    const end = await Promise.race([ended, running.aborted]);
    if (end !== undefined) running.fail(end.error);
  } finally {
    clearTimeout(timer);
    running.abort(new Error('the scenario is over'));
    await running.session.client.endCalls(new Error('the scenario is over'));
  }
  const settled = await Promise.race([ended.then(() => true), sleep(graceMs, false, { ref: false })]);
  if (!settled)
    running.fail(
      new Error(`Cannot end the scenario: its body still runs ${graceMs / 1000} s after it was aborted`),
    );
}

/** Undo what the scenario did, then see what it left behind: also where it could not be undone, for then something is left. */
async function restore(
  { options }: ScenarioRun,
  running: RunningScenario,
  before: Snapshot | undefined,
): Promise<void> {
  const { session } = running;
  const orSpoil = async (name: string, action: () => Promise<void>) => {
    if (session.ssh.lost.aborted) return;
    running.step(name);
    await action().catch((error: unknown) => {
      running.fail(error);
      session.spoil(text(error));
    });
  };
  if (session.ssh.lost.aborted) return;
  await running.runDeferred();
  // Without a look at the host there was no scenario: the engine did not come up, and is not asked to.
  if (before === undefined) return;
  await orSpoil('remove the containers', () => session.removeContainers());
  await orSpoil('look for leaks', async () => {
    running.found(await session.leaks.diff(before, { ignore: options.allow ?? [] }));
    if (running.leaks.length > 0) session.spoil('the scenario before left leaks');
    else session.isClean();
  });
}

async function conclude(scenario: ScenarioRun, running: RunningScenario): Promise<ScenarioRecord> {
  const { failure, leaks, session } = running;
  if (session.ssh.lost.aborted) {
    return { outcome: 'infra', reason: `SSH was lost: ${text(session.ssh.lost.reason)}`, durationMs: 0 };
  }
  if (failure instanceof ScenarioSkip && leaks.length === 0) {
    return { outcome: 'skip', reason: failure.message, durationMs: 0 };
  }
  if (failure === undefined && leaks.length === 0) return { outcome: 'pass', durationMs: 0 };
  // The evidence has all of it; the reason is read in a terminal.
  const leaked = leaks.map(({ kind, what, owner }) =>
    clip(`${kind} ${what}${owner ? `, held by ${owner}` : ''}`, 200),
  );
  const reasons = [
    ...(failure === undefined ? [] : [`${running.failedStep}: ${text(failure)}`]),
    ...(leaked.length === 0
      ? []
      : [`leaked ${leaked.length}: ${leaked.slice(0, 3).join('; ')}${leaked.length > 3 ? '; …' : ''}`]),
  ];
  const evidence = await gatherEvidence(scenario, running);
  return { outcome: 'fail', reason: reasons.join(' | '), durationMs: 0, evidence };
}

function clip(line: string, length: number): string {
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
