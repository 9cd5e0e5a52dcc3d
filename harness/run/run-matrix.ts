import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { HostReport, Phase, Result } from '../../reports/schema.ts';
import type { Engine, EngineProgram } from '../engines/engine.ts';
import { createEngine } from '../engines/engines.ts';
import {
  HostBroken,
  type HostContext,
  type HostDefinition,
  type HostProvider,
  type RunningHost,
} from '../hosts/host.ts';
import { buildTestImage } from '../images/test-image.ts';
import { cellName, type Job } from '../matrix/cell.ts';
import type { CellRun } from './cell-run.ts';
import { evidenceDir } from './evidence.ts';
import type { CollectedScenario } from './recorder.ts';
import { ResultBook } from './result-book.ts';
import { runInVitest } from './run-in-vitest.ts';
import { defaultTimeoutMs } from './run-scenario.ts';

export interface MatrixOptions {
  readonly projectDir: string;
  readonly cacheDir: string;
  /** This run's own folder, removed by the caller. */
  readonly runDir: string;
  readonly runId: string;
  readonly reportDir: string;
  readonly hosts: readonly HostDefinition[];
  readonly jobs: readonly Job[];
  readonly scenarios: readonly CollectedScenario[];
  readonly provider: (host: HostDefinition) => HostProvider;
  readonly retries: number;
  readonly repeat: number;
  readonly signal: AbortSignal;
  readonly events: MatrixEvents;
}

/** What is told while it happens: to the terminal. */
export interface MatrixEvents {
  hostProgress(host: string, message: string): void;
  hostPhase(host: string, phase: Phase): void;
  started(job: Job): void;
  result(result: Result): void;
  note(text: string): void;
}

export interface MatrixEnd {
  readonly results: readonly Result[];
  readonly hosts: readonly HostReport[];
}

/** The host's own Node, which provisioning installs. */
const hostNode = '/opt/seatrial/bin/node';
const consoleBytes = 16 * 1024;
/** What may pass without a word beyond a scenario's own time: reset, grace of an aborted body, evidence. */
const overheadMs = 180_000;

/** Runs the plan on all hosts side by side. One host's trouble never touches another's results. Never throws for a host's trouble. */
export async function runMatrix(options: MatrixOptions): Promise<MatrixEnd> {
  const { jobs, hosts, events, runDir, signal } = options;
  const book = new ResultBook(jobs, options.repeat, (result) => events.result(result));
  const imageFile = join(runDir, 'image.tar');
  await mkdir(runDir, { recursive: true });
  await writeFile(imageFile, (await buildTestImage()).archive);
  const engines = await buildEngines(options);
  const used = hosts.filter(({ name }) => jobs.some((job) => job.cell.host === name));
  const reports = await Promise.all(
    used.map((host) => new HostRun(options, host, book, imageFile, engines).run()),
  );
  book.missing(signal.aborted ? 'the run was interrupted' : 'planned and never ran');
  return { results: book.results(), hosts: reports };
}

/** Before any host is booted: a checkout that does not build is not the hosts' trouble. */
async function buildEngines({
  jobs,
  projectDir,
  cacheDir,
  events,
}: MatrixOptions): Promise<ReadonlyMap<string, Engine>> {
  const engines = new Map<string, Engine>();
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  for (const name of new Set(jobs.map(({ cell }) => cell.engine))) {
    const engine = createEngine(name, projectDir, cacheDir);
    const started = performance.now();
    await engine.build(arch);
    events.note(`built ${name} in ${Math.round(performance.now() - started)} ms`);
    engines.set(name, engine);
  }
  return engines;
}

/** One host's part of a run, from its preparation to its end. */
class HostRun {
  readonly #options: MatrixOptions;
  readonly #definition: HostDefinition;
  readonly #book: ResultBook;
  readonly #imageFile: string;
  readonly #engines: ReadonlyMap<string, Engine>;
  readonly #phases: Phase[] = [];

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

  async run(): Promise<HostReport> {
    const { name } = this.#definition;
    const { signal } = this.#options;
    let host: RunningHost | undefined;
    let broken: HostBroken | undefined;
    try {
      host = await this.#start();
      this.#book.hostIs(name, host.facts);
      const programs = await this.#install(host);
      await this.#runJobs(host, programs);
      await this.#finish(host, programs);
    } catch (error) {
      if (!signal.aborted) broken = asBroken(error, host);
    }
    if (host?.broken.aborted && broken === undefined && !signal.aborted)
      broken = asBroken(host.broken.reason, host);
    if (broken !== undefined) {
      const console = await this.#saveConsole(host, broken);
      this.#options.events.note(`${name} broke (${broken.what}): ${broken.message}`);
      this.#book.hostBroke(name, broken, console.path);
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
      const options = { arch: host.facts.arch, node: hostNode, signal, progress };
      programs.set(name, await this.#phase(`install ${name}`, () => engine.install(host.ssh, options)));
    }
    return programs;
  }

  /** What only serves the next run may not break this one. */
  async #finish(host: RunningHost, programs: ReadonlyMap<string, EngineProgram>): Promise<void> {
    if (host.broken.aborted || this.#options.signal.aborted) return;
    for (const [name, program] of programs) {
      await this.#engines
        .get(name)
        ?.finish(host.ssh, program)
        .catch((error: unknown) => {
          this.#options.events.note(
            `${host.name}: ${name} was not finished: ${error instanceof Error ? error.message : String(error)}`,
          );
        });
    }
  }

  async #runJobs(host: RunningHost, programs: ReadonlyMap<string, EngineProgram>): Promise<void> {
    const { jobs, scenarios, events, signal, projectDir, retries } = this.#options;
    const mine = jobs.filter(({ cell }) => cell.host === host.name);
    const cells = await this.#cells(host, mine, programs);
    const longest = Math.max(...scenarios.map((scenario) => scenario.options.timeoutMs ?? defaultTimeoutMs));
    const started = performance.now();
    const writing: Promise<void>[] = [];
    const early = await runInVitest({
      projectDir,
      jobs: mine,
      cells,
      scenarios,
      signal: AbortSignal.any([signal, host.broken]),
      silenceMs: (longest + overheadMs) * (retries + 1),
      events: {
        started: (job) => events.started(job),
        ended: (job, record) => {
          if (record.outcome === 'pass' || record.outcome === 'skip') return this.#book.record(job, record);
          // The console is asked for at once, while its end still belongs to this scenario.
          const written = this.#saveSlice(host, job).then((path) => this.#book.record(job, record, path));
          writing.push(written);
        },
        note: (text) => events.note(`${host.name}: ${text}`),
      },
    });
    await Promise.all(writing);
    this.#ended({ name: 'scenarios', durationMs: Math.round(performance.now() - started) });
    if (early !== undefined && !host.broken.aborted) this.#book.missing(early, host.name);
  }

  async #cells(
    host: RunningHost,
    jobs: readonly Job[],
    programs: ReadonlyMap<string, EngineProgram>,
  ): Promise<ReadonlyMap<string, CellRun>> {
    const { projectDir, cacheDir, runDir, reportDir, retries, repeat } = this.#options;
    const cells = new Map<string, CellRun>();
    for (const job of jobs) {
      const name = cellName(job.cell);
      const known = cells.get(name);
      const program = programs.get(job.cell.engine);
      if (program === undefined) throw new Error(`Cannot run ${name}: its engine is not installed`);
      const scenario = `${job.area}/${job.scenario}`;
      const socketDir = known?.socketDir ?? join(runDir, `s-${host.name}-${cells.size}`);
      await mkdir(socketDir, { recursive: true });
      cells.set(name, {
        projectDir,
        cacheDir,
        cell: job.cell,
        facts: host.facts,
        ssh: host.sshAddress,
        node: hostNode,
        program,
        scenarios: [...(known?.scenarios ?? []), scenario],
        repeat,
        retries,
        imageFile: this.#imageFile,
        socketDir,
        reportDir,
      });
    }
    return cells;
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

  async #saveSlice(host: RunningHost, job: Job): Promise<string | undefined> {
    return this.#save(join(evidenceDir(this.#options.reportDir, job), 'console.log'), () =>
      host.console(consoleBytes),
    );
  }

  async #saveConsole(
    host: RunningHost | undefined,
    broken: HostBroken,
  ): Promise<{ readonly path: string | undefined }> {
    const file = join(this.#options.reportDir, 'evidence', this.#definition.name, 'console.log');
    const text = async () => broken.consoleTail || (await host?.console(consoleBytes)) || '';
    return { path: await this.#save(file, text) };
  }

  /** Evidence never adds a failure: what cannot be had is left out. */
  async #save(file: string, content: () => Promise<string>): Promise<string | undefined> {
    try {
      const text = await content();
      if (text === '') return undefined;
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, text);
      return relative(this.#options.reportDir, file);
    } catch {
      return undefined;
    }
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
