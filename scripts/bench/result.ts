import { z } from 'zod';

const Unit = z.enum(['ms', 'MB/s']);

/** One subject in one task. `samples` is their number; of a speed, `p95` is what 95 % of the samples reach. */
export const BenchRow = z.strictObject({
  task: z.string(),
  subject: z.string(),
  driver: z.string().optional(),
  unit: Unit,
  median: z.number().positive(),
  p95: z.number().positive(),
  samples: z.int().positive(),
});

/** Median of `subject` divided by the median of `to`, for every ordered pair of a task. */
export const BenchRatio = z.strictObject({
  task: z.string(),
  subject: z.string(),
  driver: z.string().optional(),
  to: z.string(),
  toDriver: z.string().optional(),
  ratio: z.number().positive(),
});

/** A subject that could not be measured. `failed` where it was probed well and broke later. */
export const BenchAbsence = z.strictObject({
  task: z.string(),
  subject: z.string(),
  driver: z.string().optional(),
  reason: z.string(),
  failed: z.boolean(),
});

/** What `npm run bench -- --json <file>` writes. */
export const BenchResult = z.strictObject({
  version: z.literal(1),
  startedAt: z.iso.datetime(),
  seconds: z.number().nonnegative(),
  machine: z.strictObject({
    kernel: z.string(),
    arch: z.string(),
    cpus: z.int().positive(),
    cpu: z.string(),
    memoryBytes: z.int().positive(),
    node: z.string(),
    /** Load averages of 1, 5 and 15 minutes. A busy machine's times say little; its ratios say more. */
    loadBefore: z.array(z.number()).length(3),
    loadAfter: z.array(z.number()).length(3),
  }),
  options: z.strictObject({
    samples: z.int(),
    warmup: z.int(),
    seed: z.int(),
    budget: z.int(),
    /** MiB. */
    payload: z.int(),
  }),
  rows: z.array(BenchRow),
  ratios: z.array(BenchRatio),
  absent: z.array(BenchAbsence),
});

export type BenchRow = z.infer<typeof BenchRow>;
export type BenchRatio = z.infer<typeof BenchRatio>;
export type BenchAbsence = z.infer<typeof BenchAbsence>;
export type BenchResult = z.infer<typeof BenchResult>;

/** Ratios of every ordered pair of rows of the same task. */
export function ratiosOf(rows: readonly BenchRow[]): BenchRatio[] {
  return rows.flatMap((row) =>
    rows
      .filter((other) => other !== row && other.task === row.task)
      .map((other) => ({
        task: row.task,
        subject: row.subject,
        ...(row.driver === undefined ? {} : { driver: row.driver }),
        to: other.subject,
        ...(other.driver === undefined ? {} : { toDriver: other.driver }),
        ratio: row.median / other.median,
      })),
  );
}
