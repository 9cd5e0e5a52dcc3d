/** What runs in the world: measures and writes the result for the one who opened it. `inside.ts <Errand as JSON>` */
import { writeFile } from 'node:fs/promises';
import { arch, cpus, loadavg, release, totalmem } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { RunRoot } from '../run-root.ts';
import { measureTask } from './measure-task.ts';
import { type BenchOptions, isChosen } from './options.ts';
import { type BenchAbsence, type BenchResult, type BenchRow, ratiosOf } from './result.ts';
import { seededRandom } from './statistics.ts';
import { threeDigits } from './table.ts';
import { nameOf } from './task.ts';
import { allTasks } from './tasks/all-tasks.ts';
import { World } from './world.ts';

export interface Errand {
  readonly root: RunRoot;
  readonly options: BenchOptions;
  readonly resultFile: string;
}

const { root, options, resultFile } = JSON.parse(process.argv[2] ?? '') as Errand;
const { samples, warmup, seed, budget, payload } = options;
const begin = performance.now();
const startedAt = new Date().toISOString();
const loadBefore = loadavg();
const random = seededRandom(seed);
const rows: BenchRow[] = [];
const absent: BenchAbsence[] = [];

{
  await using world = new World(root, options);
  for (const task of allTasks.filter(({ name }) => options.tasks.includes(name))) {
    const contenders = task.contenders.filter((contender) => isChosen(contender, options.subjects));
    if (contenders.length === 0) continue;
    const start = performance.now();
    const outcome = await measureTask(task, contenders, world, {
      ...{ samples, warmup, random },
      budgetMs: budget * 1000,
    });
    rows.push(...outcome.rows);
    absent.push(...outcome.absent);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    // With the medians: they are all that is left of a bench that is ended before its table.
    const medians = outcome.rows.map((row) => `${nameOf(row)} ${threeDigits(row.median)} ${row.unit}`);
    process.stderr.write(`${task.name}: ${medians.join(', ')} (${seconds} s)\n`);
  }
}

const [cpu] = cpus();
const result: BenchResult = {
  version: 1,
  startedAt,
  seconds: Math.round(performance.now() - begin) / 1000,
  machine: {
    kernel: release(),
    arch: arch(),
    cpus: cpus().length,
    cpu: cpu?.model ?? 'unknown processor',
    memoryBytes: totalmem(),
    node: process.version,
    loadBefore,
    loadAfter: loadavg(),
  },
  options: { samples, warmup, seed, budget, payload },
  rows,
  ratios: ratiosOf(rows),
  absent,
};
await writeFile(resultFile, JSON.stringify(result));
process.exit(0);
