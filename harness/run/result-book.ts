import type { Evidence, Result } from '../../reports/schema.ts';
import type { HostBroken, HostFacts } from '../hosts/host.ts';
import { type Job, jobName } from '../matrix/cell.ts';
import type { ScenarioRecord } from './cell-run.ts';
import { rerunCommand } from './evidence.ts';

/**
 * The results of a run's jobs, one for each at the end: what the workers answered, and for the rest `infra` where their
 * host broke, `missing` where nobody knows. Each result is told to `onResult` once, when it is known.
 */
export class ResultBook {
  readonly #jobs: ReadonlyMap<string, Job>;
  readonly #repeat: number;
  readonly #seed: number;
  readonly #onResult: (result: Result) => void;
  readonly #records = new Map<string, ScenarioRecord[]>();
  readonly #results = new Map<string, Result>();
  readonly #kernels = new Map<string, string>();

  constructor(
    jobs: readonly Job[],
    { repeat, seed }: { readonly repeat: number; readonly seed: number },
    onResult: (result: Result) => void,
  ) {
    this.#jobs = new Map(jobs.map((job) => [jobName(job), job]));
    this.#repeat = repeat;
    this.#seed = seed;
    this.#onResult = onResult;
  }

  hostIs(host: string, { kernel }: HostFacts): void {
    this.#kernels.set(host, kernel);
  }

  /** One run of a job has ended; with `--repeat` its result is known when all have. `console` is the path of the saved console slice. */
  record(job: Job, record: ScenarioRecord, console?: string): void {
    const records = [...(this.#records.get(jobName(job)) ?? []), record];
    this.#records.set(jobName(job), records);
    if (records.length < this.#repeat) return;
    const whole = this.#repeat === 1 ? record : merge(records);
    const evidence: Evidence | undefined =
      whole.outcome === 'pass' || whole.outcome === 'skip'
        ? undefined
        : {
            ...whole.evidence,
            ...(console === undefined ? {} : { console }),
            rerun: rerunCommand(job, this.#seed),
          };
    this.#add(job, {
      outcome: whole.outcome,
      durationMs: whole.durationMs,
      ...(whole.reason === undefined ? {} : { reason: whole.reason }),
      ...(whole.attempts === undefined ? {} : { attempts: whole.attempts }),
      ...(evidence === undefined ? {} : { evidence }),
    });
  }

  /** The host broke: all of its jobs that have no result are `infra`. `console` as in record. */
  hostBroke(host: string, broken: HostBroken, console?: string): void {
    for (const job of this.open(host)) {
      const evidence: Evidence = {
        step: broken.what,
        ...(console === undefined ? {} : { console }),
        rerun: rerunCommand(job, this.#seed),
      };
      this.#add(job, {
        outcome: 'infra',
        durationMs: 0,
        reason: `${broken.what}: ${broken.message}`,
        evidence,
      });
    }
  }

  /** All jobs (of a host) that have no result are `missing`: planned, and never ran. */
  missing(reason: string, host?: string): void {
    for (const job of this.open(host)) {
      this.#add(job, {
        outcome: 'missing',
        durationMs: 0,
        reason,
        evidence: { rerun: rerunCommand(job, this.#seed) },
      });
    }
  }

  /** The plan minus the results. */
  open(host?: string): readonly Job[] {
    return [...this.#jobs.values()].filter(
      (job) => (host === undefined || job.cell.host === host) && !this.#results.has(jobName(job)),
    );
  }

  /** In the order of the plan. */
  results(): readonly Result[] {
    return [...this.#jobs.keys()].flatMap((name) => this.#results.get(name) ?? []);
  }

  #add(
    { cell, area, scenario }: Job,
    end: Pick<Result, 'outcome' | 'durationMs' | 'reason' | 'attempts' | 'evidence'>,
  ): void {
    const name = jobName({ cell, area, scenario });
    if (this.#results.has(name)) return;
    const result: Result = {
      host: cell.host,
      kernel: this.#kernels.get(cell.host) ?? '',
      engine: cell.engine,
      driver: cell.driver.name,
      area,
      scenario,
      required: cell.driver.required,
      ...end,
    };
    this.#results.set(name, result);
    this.#onResult(result);
  }
}

/** Several runs of one job: all passed is a pass, none is the first failure, some is flaky. */
function merge(records: readonly ScenarioRecord[]): ScenarioRecord {
  const durationMs = records.reduce((sum, record) => sum + record.durationMs, 0);
  const total = records.length;
  const passed = records.filter(({ outcome }) => outcome === 'pass').length;
  const first = records.find(({ outcome }) => outcome !== 'pass');
  if (first === undefined) return { outcome: 'pass', durationMs };
  if (passed === 0) return { ...first, durationMs, attempts: { passed, total } };
  return {
    ...first,
    outcome: 'flaky',
    reason: `passed ${passed} of ${total}; ${first.reason ?? ''}`,
    durationMs,
    attempts: { passed, total },
  };
}
