import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { execa } from 'execa';
import type { Results } from '../../reports/schema.ts';
import { TerminalReport } from '../../reports/terminal/terminal-report.ts';
import { verdict } from '../../reports/verdict.ts';
import { writeReports } from '../../reports/write.ts';
import { defaultCacheDir } from '../hosts/cache.ts';
import type { HostDefinition, HostProvider, RunningHost } from '../hosts/host.ts';
import { createProviders } from '../hosts/providers.ts';
import { type Job, jobName } from '../matrix/cell.ts';
import { ensureSystemPackages } from '../provision/system-packages.ts';
import { largestSeed, newSeed } from '../run/random.ts';
import { runMatrix } from '../run/run-matrix.ts';
import { interruptSignal } from './interrupt.ts';
import { type Planned, planProject, projectDir } from './project.ts';
import { createRunFolder, reapRuns } from './run-folder.ts';
import { selectionOf, wholeNumber, withSelection } from './selection-options.ts';
import { hostNamed, openShell, shellOnHost } from './shell.ts';

interface RunFlags {
  readonly list?: true;
  readonly retries: number;
  readonly repeat: number;
  readonly report: string;
  readonly seed?: number;
  /** True: after a failure. Else the host's name. */
  readonly shell?: true | string;
}

/** `seatrial run`: boots the hosts, runs the plan, writes the report. */
export function runCommand(): Command {
  const command = new Command('run')
    .description('Boots the hosts, runs the scenarios in every cell and writes reports/latest/.')
    .option('--list', 'print the jobs and do nothing')
    .option(
      '--retries <n>',
      'try a failed scenario again; one that then passes is flaky, never green',
      wholeNumber(0),
      0,
    )
    .option('--report <folder>', 'where the report goes', join(projectDir, 'reports/latest'))
    .option('--repeat <n>', 'run every scenario this often', wholeNumber(1), 1)
    .option(
      '--seed <n>',
      'what every random choice of the scenarios comes from; without it one is chosen, and told',
      wholeNumber(0, largestSeed),
    )
    .option(
      '--shell [host]',
      'a shell on a fresh clone of the host; without a name on the host of the first failure, as it left it',
    );
  return withSelection(command).action(
    async (patterns: string[], flags: RunFlags & Parameters<typeof selectionOf>[1]) => {
      const planned = await planProject(selectionOf(patterns, flags), flags.shard);
      if (typeof flags.shell === 'string') {
        process.exitCode = await shell(hostNamed(flags.shell, planned.hosts));
        return;
      }
      if (flags.list) {
        process.stdout.write(planned.jobs.map((job) => `${jobName(job)}\n`).join(''));
        return;
      }
      process.exitCode = await run(planned, flags);
    },
  );
}

/** Answers the exit status: 0 green, 1 red, 130 or 143 interrupted. */
async function run(
  { hosts, jobs, scenarios }: Planned,
  { retries, repeat, report, seed = newSeed(), shell: wantsShell }: RunFlags,
): Promise<number> {
  const startedAt = new Date();
  const started = performance.now();
  const runId = `${startedAt.toISOString().replaceAll(/\D/g, '').slice(2, 14)}-${randomBytes(2).toString('hex')}`;
  const reportDir = resolve(report);
  await clearReport(reportDir);

  using interrupted = interruptSignal();
  using terminal = new TerminalReport({ stream: process.stdout });
  const progress = (message: string) => terminal.note(message);
  terminal.plan(jobs.map(jobId));
  progress(`seed ${seed}`);

  await ensureSystemPackages('scenarios', progress, { signal: interrupted.signal });
  const providers = createProviders();
  for (const provider of providers.values()) {
    for (const what of await provider.reap({ cacheDir: defaultCacheDir(), progress }))
      progress(`removed what a killed run left: ${what}`);
  }
  await reapRuns(defaultCacheDir());

  await using folder = await createRunFolder(defaultCacheDir(), runId);
  const end = await runMatrix({
    projectDir,
    cacheDir: defaultCacheDir(),
    runDir: folder.path,
    runId,
    reportDir,
    hosts,
    jobs,
    scenarios,
    provider: (host) => providerOf(host, providers),
    retries,
    repeat,
    seed,
    signal: interrupted.signal,
    ...(wantsShell === undefined
      ? {}
      : {
          afterFailure: oneByOne(async (host: RunningHost, job: Job) => {
            if (interrupted.signal.aborted) return;
            terminal.stop();
            console.error(`a shell on ${host.name}, as ${jobName(job)} left it; the host ends with it`);
            await openShell(host, interrupted.signal);
          }),
        }),
    events: {
      hostProgress: (host, message) => terminal.hostProgress(host, message),
      hostPhase: (host, phase) => terminal.hostPhase(host, phase),
      started: (job) => terminal.started(jobId(job)),
      result: (result) => terminal.result(result),
      note: progress,
    },
  });

  const commit = await headCommit();
  const results: Results = {
    version: 1,
    runId,
    startedAt: startedAt.toISOString(),
    durationMs: Math.round(performance.now() - started),
    command: ['npm run scenarios --', ...process.argv.slice(process.argv[2] === 'run' ? 3 : 2)].join(' '),
    ...(commit === undefined ? {} : { commit }),
    seed,
    hosts: [...end.hosts],
    results: [...end.results],
  };
  // A report that cannot be written must not hide what was found.
  const paths = await writeReports(results, reportDir).catch((error: unknown) => {
    console.error(error);
    return undefined;
  });
  terminal.finish(results, paths);
  const { ok, counts } = verdict(results);
  const failed = counts.fail + counts.flaky + counts.infra + counts.missing;
  process.stdout.write(`${counts.pass} passed, ${failed} failed, ${counts.skip} skipped\n`);
  return interrupted.exitStatus ?? (ok && paths !== undefined ? 0 : 1);
}

async function shell(definition: HostDefinition): Promise<number> {
  using interrupted = interruptSignal();
  const { signal } = interrupted;
  const progress = (message: string) => console.error(message);
  await ensureSystemPackages('scenarios', progress, { signal });
  const providers = createProviders();
  const provider = providerOf(definition, providers);
  await provider.reap({ cacheDir: defaultCacheDir(), progress });
  const status = await shellOnHost({ definition, provider, cacheDir: defaultCacheDir(), signal, progress });
  return interrupted.exitStatus ?? status;
}

function providerOf(
  { name, provider }: HostDefinition,
  providers: ReturnType<typeof createProviders>,
): HostProvider {
  const found = providers.get(provider);
  if (found === undefined) throw new Error(`Cannot boot ${name}: no provider ${JSON.stringify(provider)}`);
  return found;
}

/** Calls wait for the ones before them: hosts fail side by side, and there is one terminal. */
function oneByOne<A extends readonly unknown[]>(
  action: (...args: A) => Promise<void>,
): (...args: A) => Promise<void> {
  let last: Promise<unknown> = Promise.resolve();
  return (...args) => {
    const mine = last.then(() => action(...args));
    last = mine.catch(() => {});
    return mine;
  };
}

function jobId({ cell, area, scenario }: Job) {
  return { host: cell.host, engine: cell.engine, driver: cell.driver.name, area, scenario };
}

/** Only what a run writes: the folder may be anyone's. */
async function clearReport(folder: string): Promise<void> {
  for (const name of ['results.json', 'junit.xml', 'summary.md', 'index.html', 'evidence']) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

async function headCommit(): Promise<string | undefined> {
  const { failed, stdout } = await execa('git', ['rev-parse', 'HEAD'], { cwd: projectDir, reject: false });
  return failed ? undefined : stdout;
}
