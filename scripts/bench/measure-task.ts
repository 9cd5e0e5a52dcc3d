import { type Entrant, type InterleaveOptions, interleave } from './interleave.ts';
import type { BenchAbsence, BenchRow } from './result.ts';
import { asSpeed, summarise } from './statistics.ts';
import { type Contender, nameOf, type Task } from './task.ts';
import type { World } from './world.ts';

export interface TaskOutcome {
  readonly rows: readonly BenchRow[];
  readonly absent: readonly BenchAbsence[];
}

/** Readies the contenders, measures those that can be, and takes back what was made for them. */
export async function measureTask(
  task: Task,
  contenders: readonly Contender[],
  world: World,
  options: InterleaveOptions,
): Promise<TaskOutcome> {
  await using ends = new AsyncDisposableStack();
  const entrants: Entrant[] = [];
  const absent: BenchAbsence[] = [];
  const identify = ({ subject, driver }: Contender) => ({
    ...{ task: task.name, subject },
    ...(driver === undefined ? {} : { driver }),
  });
  for (const contender of contenders) {
    try {
      const opened = ends.use(await contender.open(world));
      await opened.sample();
      entrants.push({ name: nameOf(contender), sample: opened.sample });
    } catch (error) {
      absent.push({ ...identify(contender), reason: sentence(error), failed: false });
    }
  }
  const measured = await interleave(entrants, options);
  const rows: BenchRow[] = [];
  for (const contender of contenders) {
    const found = measured.find(({ name }) => name === nameOf(contender));
    if (!found) continue;
    if (found.failure) absent.push({ ...identify(contender), reason: sentence(found.failure), failed: true });
    if (found.values.length === 0) continue;
    const summary = summarise(found.values);
    rows.push(
      task.bytes === undefined
        ? { ...identify(contender), unit: 'ms', ...summary }
        : { ...identify(contender), unit: 'MB/s', ...asSpeed(summary, task.bytes(world.payload)) },
    );
  }
  return { rows, absent };
}

/** One line; a runtime's own words may be many. */
function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 400 ? `${line.slice(0, 400)} …` : line;
}
