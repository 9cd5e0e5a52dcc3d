import { cellOf, type JobId } from './schema.ts';

/** A column of the matrix: a cell, under its host. */
export interface Column {
  readonly key: string;
  /** Stands above a run of columns that have the same one. */
  readonly group: string;
  readonly label: string;
}

/** One column per cell. The engine is named only where there is more than one. */
export function columnsOf(jobs: readonly JobId[]): readonly Column[] {
  const engines = new Set(jobs.map(({ engine }) => engine));
  const columns = new Map<string, Column>();
  for (const job of jobs) {
    const label = engines.size > 1 ? `${job.engine}/${job.driver}` : job.driver;
    columns.set(cellOf(job), { key: cellOf(job), group: job.host, label });
  }
  return [...Map.groupBy(columns.values(), ({ group }) => group).values()].flat();
}
