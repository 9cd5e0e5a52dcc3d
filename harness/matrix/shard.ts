import { cellName, type Job } from './cell.ts';
import { SelectionError } from './plan.ts';

/** One of `count` parts of a plan, `index` from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/**
 * Seconds of a job in an emulated guest, rounded; a daemon's life is most of it. Measured once and written down, so that
 * machines that know nothing of each other cut a plan at the same places.
 */
const seconds: Readonly<Record<string, number>> = { 'daemon-crash': 10, 'umount-failure': 4 };
const otherSeconds = 2;
/** A cell's first start: storage, image, connection. */
const cellSeconds = 10;

/**
 * The jobs of one shard. A plan is cut between cells, in its order, so that the longest shard is as short as can be and
 * few hosts are booted by more than one. All shards together are the plan. Throws where there are fewer cells than shards.
 */
export function shardOf(jobs: readonly Job[], { index, count }: Shard): readonly Job[] {
  const cells = [...Map.groupBy(jobs, ({ cell }) => cellName(cell)).values()];
  if (count > cells.length) {
    throw new SelectionError(
      `Cannot cut the plan into ${count} shards: it has ${cells.length} ${cells.length === 1 ? 'cell' : 'cells'}, and a cell is not cut.`,
    );
  }
  const ends = bestCuts(cells.map(timeOf), count);
  return cells.slice(ends[index - 1], ends[index]).flat();
}

function timeOf(jobs: readonly Job[]): number {
  return jobs.reduce((sum, { area }) => sum + (seconds[area] ?? otherSeconds), cellSeconds);
}

/** Where to cut times into `count` runs of at least one so that the largest sum is least: the runs' borders, from 0 to the end. */
function bestCuts(times: readonly number[], count: number): readonly number[] {
  let best: readonly number[] = [];
  let least = Number.POSITIVE_INFINITY;
  const extend = (borders: readonly number[], largest: number): void => {
    const from = borders.at(-1) ?? 0;
    const left = count - borders.length + 1;
    if (left === 0) {
      if (from === times.length && largest < least) [best, least] = [borders, largest];
      return;
    }
    let sum = 0;
    const last = left === 1 ? times.length : times.length - left + 1;
    for (let end = from + 1; end <= last; end += 1) {
      sum += times[end - 1] ?? 0;
      if (sum >= least) return;
      if (left > 1 || end === times.length) extend([...borders, end], Math.max(largest, sum));
    }
  };
  extend([0], 0);
  return best;
}
