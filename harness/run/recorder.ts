import type { PlannedScenario } from '../matrix/plan.ts';
import type { ScenarioOptions } from './scenario.ts';
import { slug } from './slug.ts';

export interface CollectedScenario extends PlannedScenario {
  readonly title: string;
  /** Absolute path of the scenario's file. */
  readonly file: string;
  readonly options: ScenarioOptions;
}

/** Takes down the scenarios of one file at a time while the plan is made. */
export class Recorder {
  readonly scenarios: CollectedScenario[] = [];
  #file: { readonly area: string; readonly file: string } | undefined;

  open(file: { readonly area: string; readonly file: string }): void {
    this.#file = file;
  }

  record(title: string, options: ScenarioOptions): void {
    if (this.#file === undefined)
      throw new Error(`Cannot record scenario ${JSON.stringify(title)}: no file is being read`);
    const { area, file } = this.#file;
    const id = slug(title);
    const same = this.scenarios.find((other) => other.area === area && other.scenario === id);
    if (same !== undefined) {
      throw new Error(
        `Cannot record scenario ${area}/${id} of ${file}: ${same.file} has one of that name already`,
      );
    }
    this.scenarios.push({
      area,
      scenario: id,
      title,
      file,
      options,
      dependsOnDriver: options.dependsOnDriver,
      notOn: Object.keys(options.notOn ?? {}),
    });
  }
}

// Scenario files are imported, not called, so the recorder must be where their imports find it. One per realm, as modules are.
const active = new Set<Recorder>();

export function activeRecorder(): Recorder | undefined {
  const [recorder] = active;
  return recorder;
}

export async function whileRecording(recorder: Recorder, action: () => Promise<void>): Promise<void> {
  active.add(recorder);
  try {
    await action();
  } finally {
    active.delete(recorder);
  }
}
