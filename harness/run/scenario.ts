import type { ScenarioContext } from './scenario-context.ts';

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
  /** Default 60 000, meant for emulated guests. Clean-up and leak check have their own time. */
  readonly timeoutMs?: number;
  /** True: the engine is stopped, wiped and started afresh afterwards (the scenario damages its state on purpose). */
  readonly disruptive?: boolean;
}

export type ScenarioBody = (t: ScenarioContext) => Promise<void>;

export function scenario(_title: string, _options: ScenarioOptions, _body: ScenarioBody): void {
  throw new Error('not yet: the runner is being built');
}
