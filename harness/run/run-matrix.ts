import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { HostReport, Phase, Result } from '../../reports/schema.ts';
import type { Engine } from '../engines/engine.ts';
import { createEngine, equipped } from '../engines/engines.ts';
import type { DriverDefinition, HostDefinition, HostProvider, RunningHost } from '../hosts/host.ts';
import { buildTestImage } from '../images/test-image.ts';
import type { Job } from '../matrix/cell.ts';
import { HostRun } from './host-run.ts';
import type { CollectedScenario } from './recorder.ts';
import { ResultBook } from './result-book.ts';

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
  /** What every random choice of the scenarios comes from: 0 … 2³² − 1. */
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly events: MatrixEvents;
  /**
   * Given, a host's first failure ends its part of the run, and when all hosts are through this is called with that host as
   * the failure left it. It is gone afterwards.
   */
  readonly afterFailure?: (host: RunningHost, job: Job) => Promise<void>;
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

/** Runs the plan on all hosts side by side. One host's trouble never touches another's results. Never throws for a host's trouble. */
export async function runMatrix(options: MatrixOptions): Promise<MatrixEnd> {
  const { jobs, hosts, events, runDir, signal } = options;
  const book = new ResultBook(jobs, options, (result) => events.result(result));
  const imageFile = join(runDir, 'image.tar');
  await mkdir(runDir, { recursive: true });
  await writeFile(imageFile, (await buildTestImage()).archive);
  const engines = await buildEngines(options);
  const used = hosts
    .filter(({ name }) => jobs.some((job) => job.cell.host === name))
    .map((host) => equipped(host, enginesOn(host.name, jobs, engines), driversOn(host.name, jobs)));
  const runs = used.map((host) => new HostRun(options, host, book, imageFile, engines));
  const allOver = Promise.all(runs.map(({ over }) => over));
  const reports = await Promise.all(runs.map((run) => run.run(allOver)));
  book.missing(signal.aborted ? 'the run was interrupted' : 'planned and never ran');
  return { results: book.results(), hosts: reports };
}

function enginesOn(
  host: string,
  jobs: readonly Job[],
  engines: ReadonlyMap<string, Engine>,
): readonly Engine[] {
  return [...engines.values()].filter(({ name }) =>
    jobs.some(({ cell }) => cell.host === host && cell.engine === name),
  );
}

function driversOn(host: string, jobs: readonly Job[]): readonly DriverDefinition[] {
  return [...new Set(jobs.filter(({ cell }) => cell.host === host).map(({ cell }) => cell.driver))];
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
