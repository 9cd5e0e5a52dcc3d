import { performance } from 'node:perf_hooks';
import type { HostReport, Phase } from '../../reports/schema.ts';
import type { Engine, EngineProgram } from '../engines/engine.ts';
import { HostBroken, type HostContext, type HostDefinition, type RunningHost } from '../hosts/host.ts';
import { type Job, jobName } from '../matrix/cell.ts';
import { guestNode } from '../provision/prepare-guest.ts';
import { cellRuns } from './cell-runs.ts';
import type { ResultBook } from './result-book.ts';
import { runInVitest } from './run-in-vitest.ts';
import type { MatrixOptions } from './run-matrix.ts';
import { defaultTimeoutMs } from './run-scenario.ts';
import { saveHostConsole, saveJobConsole } from './save-console.ts';

/** What may pass without a word beyond a scenario's own time: reset, grace of an aborted body, evidence. */
const overheadMs = 180_000;

/** One host's part of a run, from its preparation to its end. */
export class HostRun {
  readonly #options: MatrixOptions;
  readonly #definition: HostDefinition;
  readonly #book: ResultBook;
  readonly #imageFile: string;
  readonly #engines: ReadonlyMap<string, Engine>;
  readonly #phases: Phase[] = [];
  readonly #over = Promise.withResolvers<void>();
  readonly #bail = new AbortController();
  #failed: Job | undefined;

  constructor(
    options: MatrixOptions,
    definition: HostDefinition,
    book: ResultBook,
    imageFile: string,
    engines: ReadonlyMap<string, Engine>,
  ) {
    this.#options = options;
    this.#definition = definition;
    this.#book = book;
    this.#imageFile = imageFile;
    this.#engines = engines;
  }

  /** Settles when this host's scenarios are over, whatever their end. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** @param allOver when all hosts' scenarios are over: only then the terminal is free for a shell. */
  async run(allOver: Promise<unknown>): Promise<HostReport> {
    const { name } = this.#definition;
    const { signal } = this.#options;
    let host: RunningHost | undefined;
    let broken: HostBroken | undefined;
    try {
      host = await this.#start();
      this.#book.hostIs(name, host.facts);
      const programs = await this.#install(host);
      await this.#runJobs(host, programs);
    } catch (error) {
      if (!signal.aborted) broken = asBroken(error, host);
    }
    this.#over.resolve();
    if (host !== undefined && broken === undefined) await this.#showFailure(host, allOver);
    if (host?.broken.aborted && broken === undefined && !signal.aborted)
      broken = asBroken(host.broken.reason, host);
    if (broken !== undefined) {
      const console = await saveHostConsole(this.#options.reportDir, name, broken, host);
      this.#options.events.note(`${name} broke (${broken.what}): ${broken.message}`);
      this.#book.hostBroke(name, broken, console);
    }
    const report = this.#report(host, broken);
    try {
      await host?.[Symbol.asyncDispose]();
    } catch (error) {
      this.#options.events.note(
        `${name}: clean-up failed: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    return report;
  }

  async #showFailure(host: RunningHost, allOver: Promise<unknown>): Promise<void> {
    const { afterFailure, signal, events } = this.#options;
    if (afterFailure === undefined || this.#failed === undefined || signal.aborted) return;
    await allOver;
    await afterFailure(host, this.#failed).catch((error: unknown) => {
      events.note(`${host.name}: no shell: ${error instanceof Error ? error.message : String(error)}`);
    });
  }

  async #start(): Promise<RunningHost> {
    const provider = this.#options.provider(this.#definition);
    const context = this.#context();
    await this.#phase('prepare', () => provider.prepare(this.#definition, context));
    const host = await provider.start(this.#definition, context);
    for (const phase of host.phases) this.#ended(phase);
    return host;
  }

  async #install(host: RunningHost): Promise<ReadonlyMap<string, EngineProgram>> {
    const { signal, events, jobs } = this.#options;
    const programs = new Map<string, EngineProgram>();
    for (const [name, engine] of this.#engines) {
      if (!jobs.some(({ cell }) => cell.host === host.name && cell.engine === name)) continue;
      const progress = (message: string) => events.hostProgress(host.name, message);
      progress(`install ${name}`);
      const options = { facts: host.facts, node: guestNode, signal, progress };
      programs.set(name, await this.#phase(`install ${name}`, () => engine.install(host.ssh, options)));
    }
    return programs;
  }

  async #runJobs(host: RunningHost, programs: ReadonlyMap<string, EngineProgram>): Promise<void> {
    const { jobs, scenarios, events, signal, projectDir, retries, reportDir } = this.#options;
    const mine = jobs.filter(({ cell }) => cell.host === host.name);
    const cells = await cellRuns(this.#options, host, mine, programs, this.#imageFile);
    const patience = Math.max(...[...programs.keys()].map((name) => this.#engines.get(name)?.patience ?? 1));
    const longest =
      patience * Math.max(...scenarios.map(({ options }) => options.timeoutMs ?? defaultTimeoutMs));
    const started = performance.now();
    const writing: Promise<void>[] = [];
    const early = await runInVitest({
      projectDir,
      jobs: mine,
      cells,
      scenarios,
      signal: AbortSignal.any([signal, host.broken, this.#bail.signal]),
      silenceMs: (longest + overheadMs) * (retries + 1),
      events: {
        started: (job) => events.started(job),
        ended: (job, record) => {
          if (record.outcome === 'pass' || record.outcome === 'skip') return this.#book.record(job, record);
          this.#failed ??= job;
          if (this.#options.afterFailure !== undefined)
            this.#bail.abort(new Error(`stopped at the failure of ${jobName(job)}, for a shell`));
          // The console is asked for at once, while its end still belongs to this scenario.
          const written = saveJobConsole(reportDir, job, host).then((path) =>
            this.#book.record(job, record, path),
          );
          writing.push(written);
        },
        note: (text) => events.note(`${host.name}: ${text}`),
      },
    });
    await Promise.all(writing);
    this.#ended({ name: 'scenarios', durationMs: Math.round(performance.now() - started) });
    if (early !== undefined && !host.broken.aborted) this.#book.missing(early, host.name);
  }

  #context(): HostContext {
    const { cacheDir, runDir, runId, signal, events } = this.#options;
    const { name } = this.#definition;
    return { cacheDir, runDir, runId, signal, progress: (message) => events.hostProgress(name, message) };
  }

  async #phase<T>(name: string, action: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await action();
    } finally {
      this.#ended({ name, durationMs: Math.round(performance.now() - started) });
    }
  }

  #ended(phase: Phase): void {
    this.#phases.push(phase);
    this.#options.events.hostPhase(this.#definition.name, phase);
  }

  #report(host: RunningHost | undefined, broken: HostBroken | undefined): HostReport {
    const facts = host?.facts;
    const { distribution, release, name } = this.#definition;
    return {
      name,
      kernel: facts?.kernel ?? '',
      distribution: facts?.distribution ?? `${distribution} ${release}`,
      cgroups: facts?.cgroups ?? '',
      ...(facts === undefined ? {} : { arch: facts.arch }),
      accelerator: facts?.accelerator ?? '',
      phases: this.#phases,
      ...(broken === undefined
        ? {}
        : {
            broken: { what: broken.what, message: broken.message, console: broken.consoleTail.slice(-4000) },
          }),
    };
  }
}

/** Any error that stopped a host's part; what is no HostBroken was an SSH or provisioning error. */
function asBroken(error: unknown, host: RunningHost | undefined): HostBroken {
  if (error instanceof HostBroken) return error;
  if (host?.broken.aborted && host.broken.reason instanceof HostBroken) return host.broken.reason;
  const what = host?.ssh.lost.aborted ? 'ssh-lost' : host === undefined ? 'boot' : 'provision';
  return new HostBroken(what, error instanceof Error ? error.message : String(error), '', error);
}
