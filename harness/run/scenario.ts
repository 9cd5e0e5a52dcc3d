import { inject, test } from 'vitest';
import type { Allowance } from '../leaks/types.ts';
import { activeRecorder } from './recorder.ts';
import { runScenario } from './run-scenario.ts';
import type { ScenarioContext } from './scenario-context.ts';
import { slug } from './slug.ts';
import { scenarioFile } from './worker-state.ts';

export type { FoundLeak, ScenarioContext, ScenarioHost } from './scenario-context.ts';

/**
 * # Scenarios
 *
 * A file `scenarios/<area>/<name>.scenario.ts` holds scenarios of one area:
 *
 *     import { scenario } from '../../harness/run/scenario.ts';
 *     import { expect } from 'vitest';
 *
 *     scenario('restarts after SIGKILL', { dependsOnDriver: true }, async (t) => { … });
 *
 * The area is the folder's name, the scenario's id the title as a slug (`restarts-after-sigkill`), unique in its area.
 * It begins with a running engine, no containers and the test image loaded. It ends with the removal of
 * every container and the leak check; a leak is a failure. The engine is not restarted between scenarios unless one left
 * it dead.
 */
export interface ScenarioOptions {
  /** False: runs once per host and engine, in the first driver. */
  readonly dependsOnDriver: boolean;
  /** Engines that promise something else, and what: they are not held to this. */
  readonly notOn?: Readonly<Record<string, string>>;
  /** Default 60 000, meant for emulated guests. Clean-up and leak check have their own time. */
  readonly timeoutMs?: number;
  /** Differences that the scenario makes on purpose: `oom-kill` in the kernel's log. */
  readonly allow?: readonly Allowance[];
}

export type ScenarioBody = (t: ScenarioContext) => Promise<void>;

/**
 * Declares a scenario. The same file is read twice: by the plan, without any host, where this only records the
 * name; and by the worker of a cell, where it becomes a vitest test if the plan selected it.
 */
export function scenario(title: string, options: ScenarioOptions, body: ScenarioBody): void {
  const recorder = activeRecorder();
  if (recorder !== undefined) {
    recorder.record(title, options);
    return;
  }

  const { area } = scenarioFile();
  const id = slug(title);
  const cell = inject('cell');
  if (!cell.scenarios.includes(`${area}/${id}`)) return;
  for (let run = 1; run <= cell.repeat; run += 1) {
    // The time limits are the scenario runner's own, which can abort and then await; vitest's is only a last resort.
    const name = cell.repeat === 1 ? id : `${id} #${run}`;
    test(name, { timeout: 0 }, async ({ task, skip }) => {
      const record = await runScenario({ area, id, run, options, body, cell });
      task.meta.record = record;
      if (record.outcome === 'skip') skip(record.reason);
      if (record.outcome !== 'pass') throw new Error(record.reason);
    });
  }
}
