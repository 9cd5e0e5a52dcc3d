import { type Column, columnsOf } from '../columns.ts';
import { glyphs } from '../glyphs.ts';
import { cellOf, type JobId, jobOf, type Outcome, outcomes, scenarioOf } from '../schema.ts';
import { label, type Style } from './style.ts';
import { type CellText, type Row, renderTable } from './table.ts';

export type JobState = Outcome | 'running' | 'waiting' | 'unplanned';

export interface MatrixInput {
  readonly jobs: readonly JobId[];
  state(job: JobId): JobState;
}

/** Rows above which areas that passed everywhere become one row each. */
const longMatrix = 40;

/** Scenario × cell, a glyph and a word in each. Long ones fold the areas in which everything passed. */
export function scenarioMatrix(
  input: MatrixInput,
  width: number,
  style: Style,
  foldAbove = longMatrix,
): string[] {
  const areas = Map.groupBy(input.jobs, ({ area }) => area);
  const scenarios = new Set(input.jobs.map(scenarioOf)).size;
  const folds = (area: string) =>
    scenarios > foldAbove && (areas.get(area) ?? []).every((job) => input.state(job) === 'pass');
  const rows: Row[] = [];
  for (const [area, jobs] of areas) {
    const names = new Set(jobs.map(({ scenario }) => scenario));
    if (folds(area)) {
      rows.push({ key: area, label: `${area} (${names.size})` });
      continue;
    }
    rows.push({ key: area, label: area, heading: true });
    rows.push(
      ...[...names].map((scenario) => ({ key: scenarioOf({ area, scenario }), label: `  ${scenario}` })),
    );
  }
  const byPlace = new Map(input.jobs.map((job) => [`${cellOf(job)}:${scenarioOf(job)}`, job]));
  const foldedCells = new Set(input.jobs.map((job) => `${cellOf(job)}:${job.area}`));
  const cell = (row: Row, column: Column): CellText | undefined => {
    const job = byPlace.get(`${column.key}:${row.key}`);
    if (job) return stateText(input.state(job), style);
    return foldedCells.has(`${column.key}:${row.key}`) ? stateText('pass', style) : undefined;
  };
  return renderTable({ rows, columns: columnsOf(input.jobs), cell }, width, {
    heading: style.bold,
    label: String,
  });
}

/** Area × cell with how far each is: what fits when the scenarios do not. */
export function areaMatrix(input: MatrixInput, width: number, style: Style): string[] {
  const groups = Map.groupBy(input.jobs, (job) => `${cellOf(job)}:${job.area}`);
  const rows = [...new Set(input.jobs.map(({ area }) => area))].map((area) => ({ key: area, label: area }));
  const cell = (row: Row, column: Column) => {
    const jobs = groups.get(`${column.key}:${row.key}`);
    return jobs && tally(input, jobs, style);
  };
  return renderTable({ rows, columns: columnsOf(input.jobs), cell }, width, {
    heading: style.bold,
    label: String,
  });
}

/** Hosts × how far each is: the smallest view. */
export function hostLines(input: MatrixInput, style: Style): string[] {
  const hosts = Map.groupBy(input.jobs, ({ host }) => host);
  const widest = Math.max(0, ...[...hosts.keys()].map((host) => host.length));
  return [...hosts].map(([host, jobs]) => {
    const { text, paint } = tally(input, jobs, style);
    return `${host.padEnd(widest)}  ${paint(text)}`;
  });
}

function tally(input: MatrixInput, jobs: readonly JobId[], style: Style): CellText {
  const states = jobs.map((job) => input.state(job));
  const done = states.filter((state) => state !== 'running' && state !== 'waiting').length;
  const worst = outcomes.findLast(
    (outcome) => outcome !== 'pass' && outcome !== 'skip' && states.includes(outcome),
  );
  const bad = worst ? ` ${glyphs[worst]} ${states.filter((state) => state === worst).length} ${worst}` : '';
  const text = `${done}/${jobs.length}${bad}`;
  if (worst) return { text, paint: style.outcome[worst] };
  if (done === jobs.length) return { text: `${glyphs.pass} ${text}`, paint: style.outcome.pass };
  return { text, paint: states.includes('running') ? style.running : style.dim };
}

function stateText(state: JobState, style: Style): CellText | undefined {
  switch (state) {
    case 'unplanned':
      return undefined;
    case 'waiting':
      return { text: '·', paint: style.dim };
    case 'running':
      return { text: '▸ runs', paint: style.running };
    default:
      return { text: label(state), paint: style.outcome[state] };
  }
}

export function stateOfResults(results: readonly (JobId & { readonly outcome: Outcome })[]): MatrixInput {
  const states = new Map(results.map((result) => [jobOf(result), result.outcome]));
  return { jobs: results, state: (job) => states.get(jobOf(job)) ?? 'unplanned' };
}
