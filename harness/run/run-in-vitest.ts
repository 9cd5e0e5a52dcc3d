import { Writable } from 'node:stream';
import type { ViteUserConfig } from 'vitest/config';
import { BaseSequencer, createVitest, type TestSpecification, type Vitest } from 'vitest/node';
import type { Job } from '../matrix/cell.ts';
import { cellName } from '../matrix/cell.ts';
import { CellReporter, type CellReporterEvents } from './cell-reporter.ts';
import type { CellRun } from './cell-run.ts';
import type { CollectedScenario } from './recorder.ts';

export interface VitestRun {
  readonly projectDir: string;
  /** The jobs of one host, with what the workers of its cells are given. */
  readonly jobs: readonly Job[];
  readonly cells: ReadonlyMap<string, CellRun>;
  readonly scenarios: readonly CollectedScenario[];
  readonly events: CellReporterEvents;
  /** Ends the run: what has no result yet stays without one. */
  readonly signal: AbortSignal;
  /** The longest silence between two events that is not a hang. */
  readonly silenceMs: number;
}

/** How long cancelled workers may take to leave before they are abandoned to vitest's own kill. */
const leaveMs = 15_000;

/**
 * Runs a host's jobs: one vitest instance, one project per cell, one worker at a time. Answers why it ended early, or
 * undefined. A worker that blocks or hangs is cut off by the silence watchdog; it never keeps this from settling.
 */
export async function runInVitest(run: VitestRun): Promise<string | undefined> {
  const { cells, jobs, scenarios, projectDir } = run;
  const byName = new Map(jobs.map((job) => [`${cellName(job.cell)}:${job.area}/${job.scenario}`, job]));
  const watchdog = new Watchdog(run.silenceMs);
  const reporter = new CellReporter((cell, scenario) => byName.get(`${cell}:${scenario}`), {
    started: (job) => {
      watchdog.touch();
      run.events.started(job);
    },
    ended: (job, record) => {
      watchdog.touch();
      run.events.ended(job, record);
    },
    note: (text) => run.events.note(text),
  });
  const projects = [...cells].map(([name, cell], groupOrder) => {
    const files = scenarios
      .filter(({ area, scenario }) => cell.scenarios.includes(`${area}/${scenario}`))
      .map(({ file }) => file);
    return {
      configFile: false as const,
      root: projectDir,
      test: {
        name,
        include: [...new Set(files)],
        pool: 'forks' as const,
        isolate: false,
        maxWorkers: 1,
        sequence: { groupOrder },
        provide: { cell },
        // Node's own import and type stripping: the same as in the checkout, and no transform per worker.
        experimental: { viteModuleRunner: false, nodeLoader: false },
      },
    };
  });
  // Options in the first argument would override every project.
  const config: ViteUserConfig = {
    root: projectDir,
    test: {
      watch: false,
      reporters: [reporter],
      sequence: { sequencer: PlannedOrder },
      teardownTimeout: 5000,
      projects,
    },
  };
  const vitest = await keepingSignals(() =>
    createVitest({ config: false }, config, { stdout: silent(), stderr: silent() }),
  );
  try {
    return await supervise(vitest, run.signal, watchdog);
  } finally {
    watchdog.stop();
    await Promise.race([vitest.close(), after(leaveMs)]);
  }
}

async function supervise(
  vitest: Vitest,
  signal: AbortSignal,
  watchdog: Watchdog,
): Promise<string | undefined> {
  const finished = vitest.start().then(
    () => undefined,
    (error: unknown) =>
      `vitest failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  const stopped = new Promise<string>((resolve) => {
    const stop = (reason: string) => resolve(reason);
    if (signal.aborted) stop(String(signal.reason));
    signal.addEventListener(
      'abort',
      () => stop(signal.reason instanceof Error ? signal.reason.message : 'stopped'),
      { once: true },
    );
    watchdog.barked.then(stop);
  });
  const early = await Promise.race([finished, stopped]);
  if (early === undefined) return undefined;
  // The first cancel lets the running test end, the second ends its worker.
  void vitest.cancelCurrentRun('keyboard-input');
  void vitest.cancelCurrentRun('keyboard-input');
  await Promise.race([finished, after(leaveMs)]);
  return early;
}

/** The order of the plan, which a failed-first or longest-first order would break. */
class PlannedOrder extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    return specifications.toSorted((a, b) =>
      a.moduleId < b.moduleId ? -1 : a.moduleId > b.moduleId ? 1 : 0,
    );
  }
}

class Watchdog {
  readonly barked: Promise<string>;
  readonly #silenceMs: number;
  readonly #bark: (reason: string) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(silenceMs: number) {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.barked = promise;
    this.#bark = resolve;
    this.#silenceMs = silenceMs;
    this.touch();
  }

  touch(): void {
    this.stop();
    this.#timer = setTimeout(
      () => this.#bark(`the worker hung: no word for ${this.#silenceMs / 1000} s`),
      this.#silenceMs,
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** vitest ends the process on Ctrl-C at once; ending cleanly is the caller's matter, so its handlers are taken off again. */
async function keepingSignals<T>(action: () => Promise<T>): Promise<T> {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const before = new Map(signals.map((signal) => [signal, new Set(process.listeners(signal))]));
  const result = await action();
  for (const signal of signals) {
    for (const listener of process.listeners(signal)) {
      if (!before.get(signal)?.has(listener)) process.off(signal, listener);
    }
  }
  return result;
}

/** vitest's own words go nowhere: the reporter has them all. */
function silent(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

function after(ms: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), ms).unref();
  });
}
