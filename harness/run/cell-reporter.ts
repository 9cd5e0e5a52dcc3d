import { basename, dirname } from 'node:path';
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';
import type { Job } from '../matrix/cell.ts';
import type { ScenarioRecord } from './cell-run.ts';

export interface CellReporterEvents {
  started(job: Job): void;
  ended(job: Job, record: ScenarioRecord): void;
  /** What a worker printed, or an error that belongs to no scenario. */
  note(text: string): void;
}

/** From vitest's words to ours: the project is a cell, the test a scenario, and its meta carries the record. */
export class CellReporter implements Reporter {
  readonly #jobOf: (cell: string, scenario: string) => Job | undefined;
  readonly #events: CellReporterEvents;

  constructor(jobOf: (cell: string, scenario: string) => Job | undefined, events: CellReporterEvents) {
    this.#jobOf = jobOf;
    this.#events = events;
  }

  onTestCaseReady(test: TestCase): void {
    const job = this.#job(test);
    if (job !== undefined) this.#events.started(job);
  }

  onTestCaseResult(test: TestCase): void {
    const job = this.#job(test);
    if (job === undefined) return;
    const record = test.meta().record ?? withoutRecord(test);
    if (record !== undefined) this.#events.ended(job, record);
  }

  onTestModuleEnd(module: TestModule): void {
    for (const error of module.errors()) this.#events.note(`${basename(module.moduleId)}: ${error.message}`);
  }

  onTestRunEnd(_modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    for (const error of errors) this.#events.note(`outside of any scenario: ${error.stack ?? error.message}`);
  }

  onUserConsoleLog({ content }: { readonly content: string }): void {
    this.#events.note(content.trimEnd());
  }

  #job(test: TestCase): Job | undefined {
    const area = basename(dirname(test.module.moduleId));
    return this.#jobOf(test.project.name, `${area}/${test.name.replace(/ #\d+$/, '')}`);
  }
}

/** A worker that died, or a cancelled test: no record came. An interrupted test has none and stays open for the plan to find. */
function withoutRecord(test: TestCase): ScenarioRecord | undefined {
  const result = test.result();
  if (result.state !== 'failed') return undefined;
  const durationMs = Math.round(test.diagnostic()?.duration ?? 0);
  return { outcome: 'fail', durationMs, reason: result.errors[0]?.message ?? 'failed without an error' };
}
