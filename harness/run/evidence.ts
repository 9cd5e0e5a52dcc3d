import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { inspect } from 'node:util';
import type { Evidence } from '../../reports/schema.ts';
import { type Cell, jobName } from '../matrix/cell.ts';
import type { ScenarioRun } from './run-scenario.ts';
import type { RunningScenario } from './running-scenario.ts';

type WorkerEvidence = Omit<Evidence, 'rerun'>;

/** Where the files of a job's evidence go: `<report>/evidence/<host>/<engine>/<driver>/<area>/<scenario>`. */
export function evidenceDir(
  reportDir: string,
  { cell, area, scenario }: { cell: Cell; area: string; scenario: string },
): string {
  return join(reportDir, 'evidence', cell.host, cell.engine, cell.driver.name, area, scenario);
}

/** The one command that runs a job again, with the same random choices. */
export function rerunCommand(job: { cell: Cell; area: string; scenario: string }, seed: number): string {
  return `npm run scenarios -- --seed ${seed} '${jobName(job)}'`;
}

/** Saves what the guest can tell about a failure. What cannot be had is left out: evidence never adds a failure. */
export async function gatherEvidence(
  scenario: ScenarioRun,
  running: RunningScenario,
): Promise<WorkerEvidence> {
  const { session, failure, leaks, holders } = running;
  const { reportDir, cell } = scenario.cell;
  const folder = evidenceDir(reportDir, { cell, area: scenario.area, scenario: scenario.id });
  await mkdir(folder, { recursive: true });
  const save = async (name: string, content: () => Promise<string>): Promise<string | undefined> => {
    try {
      const path = join(folder, name);
      await writeFile(path, await content());
      return relative(reportDir, path);
    } catch {
      return undefined;
    }
  };
  const daemonLog = await save('daemon.log', () => session.engine.log());
  const mountinfo = await save('mountinfo.txt', () => session.leaks.mountinfo());
  const errno = errnoOf(failure);
  return {
    step: running.failedStep || 'look for leaks',
    detail: detail(running),
    ...(errno === undefined ? {} : { errno }),
    ...(holders.length === 0 ? {} : { holders: [...holders] }),
    ...(leaks.length === 0 ? {} : { leaks: leaks.map((leak) => ({ ...leak })) }),
    ...(daemonLog === undefined ? {} : { daemonLog }),
    ...(mountinfo === undefined ? {} : { mountinfo }),
  };
}

function detail({ failure, steps, later }: RunningScenario): string {
  const done = steps.map(({ name, atMs }) => `${(atMs / 1000).toFixed(2).padStart(7)} s  ${name}`);
  return [
    'Steps:',
    ...done,
    ...(failure === undefined ? [] : ['', inspect(failure, { depth: 4 })]),
    ...(later.length === 0 ? [] : ['', 'Afterwards:', ...later]),
  ].join('\n');
}

/** The errno's name of an error, its causes, or the engine's words in its message: `… EBUSY (…)`. */
function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const known =
    'code' in error && typeof error.code === 'string' ? /^E[A-Z0-9]+$/.exec(error.code)?.[0] : undefined;
  return known ?? /\bE[A-Z][A-Z0-9]{2,}\b/.exec(error.message)?.[0] ?? errnoOf(error.cause);
}
