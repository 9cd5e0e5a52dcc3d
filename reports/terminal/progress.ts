import { type JobId, jobOf, type Outcome, type Phase, type Result } from '../schema.ts';

/** What is known while the run goes on. Pure book-keeping: the views draw from it. */
export class Progress {
  readonly startedAt: number;
  readonly #jobs = new Map<string, JobId>();
  readonly #hosts = new Map<string, HostProgress>();
  readonly #running = new Map<string, { readonly job: JobId; readonly since: number }>();
  readonly #results = new Map<string, Result>();

  constructor(now: number) {
    this.startedAt = now;
  }

  plan(jobs: readonly JobId[]): void {
    for (const job of jobs) {
      this.#jobs.set(jobOf(job), job);
      this.#host(job.host);
    }
  }

  /** @returns whether this was new. */
  hostProgress(host: string, message: string, now: number): boolean {
    const state = this.#host(host);
    const isNew = state.message !== message;
    if (isNew) Object.assign(state, { message, since: now });
    return isNew;
  }

  hostPhase(host: string, phase: Phase): void {
    const state = this.#host(host);
    state.phases.push(phase);
    state.message = undefined;
  }

  started(job: JobId, now: number): void {
    // A job nobody planned still shows: a report that hides it would lie.
    this.plan([job]);
    this.#running.set(jobOf(job), { job, since: now });
  }

  result(result: Result): void {
    this.plan([result]);
    this.#running.delete(jobOf(result));
    this.#results.set(jobOf(result), result);
  }

  get jobs(): readonly JobId[] {
    return [...this.#jobs.values()];
  }

  get hosts(): ReadonlyMap<string, HostProgress> {
    return this.#hosts;
  }

  get running(): readonly { readonly job: JobId; readonly since: number }[] {
    return [...this.#running.values()];
  }

  get done(): number {
    return this.#results.size;
  }

  get counts(): Readonly<Record<Outcome, number>> {
    const counts: Record<Outcome, number> = { pass: 0, fail: 0, skip: 0, flaky: 0, infra: 0, missing: 0 };
    for (const { outcome } of this.#results.values()) counts[outcome]++;
    return counts;
  }

  state(job: JobId): Outcome | 'running' | 'waiting' | 'unplanned' {
    const name = jobOf(job);
    const result = this.#results.get(name);
    if (this.#running.has(name)) return 'running';
    if (result) return result.outcome;
    return this.#jobs.has(name) ? 'waiting' : 'unplanned';
  }

  #host(name: string): HostProgress {
    const state = this.#hosts.get(name) ?? { phases: [], message: undefined, since: this.startedAt };
    this.#hosts.set(name, state);
    return state;
  }
}

export interface HostProgress {
  readonly phases: Phase[];
  /** What it does right now, until the next phase ends. */
  message: string | undefined;
  since: number;
}
