import type { Column } from '../columns.ts';
import { clip, pad } from './layout.ts';
import type { Paint } from './style.ts';

export interface Row {
  readonly key: string;
  readonly label: string;
  /** A line of its own, without cells. */
  readonly heading?: boolean;
}

export interface CellText {
  readonly text: string;
  readonly paint: Paint;
}

export interface Table {
  readonly rows: readonly Row[];
  readonly columns: readonly Column[];
  /** Nothing where the plan has no job. */
  cell(row: Row, column: Column): CellText | undefined;
}

interface PlacedColumn extends Column {
  readonly width: number;
}

const gap = 2;

/**
 * The table in lines of at most `width` characters. Columns that do not fit side by side go into further bands below, each with
 * the row labels again; the columns of one group stay together where that is possible.
 */
export function renderTable(table: Table, width: number, paint: { heading: Paint; label: Paint }): string[] {
  const widest = Math.max(0, ...table.rows.map(({ label }) => [...label].length));
  const groups = measure(table);
  const labelWidth = Math.min(widest, labelRoom(groups, width));
  const bands = pack(groups, width - labelWidth);
  return bands.flatMap((band, index) => [
    ...(index === 0 ? [] : ['']),
    ...head(band, labelWidth, paint.heading),
    ...table.rows.map((row) => line(table, row, band, labelWidth, paint)),
  ]);
}

function measure(table: Table): readonly (readonly PlacedColumn[])[] {
  const groups = Map.groupBy(table.columns, ({ group }) => group);
  return [...groups].map(([group, columns]) => {
    const placed = columns.map((column) => {
      const cells = table.rows.map((row) => [...(table.cell(row, column)?.text ?? '')].length);
      return { ...column, width: Math.max([...column.label].length, ...cells) };
    });
    const total = placed.reduce((sum, column) => sum + column.width + gap, -gap);
    const missing = Math.max(0, [...group].length - total);
    return placed.map((column, index) =>
      index === placed.length - 1 ? { ...column, width: column.width + missing } : column,
    );
  });
}

/** Names come first: one band where they still have 40 % of the width, else all that the widest group leaves. */
function labelRoom(groups: readonly (readonly PlacedColumn[])[], width: number): number {
  const besideAll = width - size(groups.flat());
  if (besideAll >= width * 0.4) return besideAll;
  return Math.max(12, Math.floor(width * 0.4), width - Math.max(0, ...groups.map(size)));
}

function size(columns: readonly PlacedColumn[]): number {
  return columns.reduce((sum, column) => sum + gap + column.width, 0);
}

function pack(groups: readonly (readonly PlacedColumn[])[], room: number): PlacedColumn[][] {
  const bands: PlacedColumn[][] = [];
  let band: PlacedColumn[] = [];
  const next = () => {
    if (band.length > 0) bands.push(band);
    band = [];
  };
  for (const group of groups) {
    if (size(band) + size(group) > room) next();
    for (const column of group) {
      if (size(band) + size([column]) > room) next();
      band.push(column);
    }
  }
  next();
  return bands;
}

function head(band: readonly PlacedColumn[], labelWidth: number, heading: Paint): string[] {
  const groups = [...Map.groupBy(band, ({ group }) => group)].map(([group, columns]) => {
    const width = columns.reduce((sum, column) => sum + gap + column.width, -gap);
    return pad(clip(group, width), width);
  });
  const blank = ' '.repeat(labelWidth + gap);
  return [
    heading((blank + groups.join('  ')).trimEnd()),
    heading((blank + band.map((column) => pad(column.label, column.width)).join('  ')).trimEnd()),
  ];
}

function line(
  table: Table,
  row: Row,
  band: readonly PlacedColumn[],
  labelWidth: number,
  paint: { heading: Paint; label: Paint },
): string {
  if (row.heading) return paint.heading(clip(row.label, labelWidth));
  const texts = band.map((column) => ({ column, cell: table.cell(row, column) }));
  // Colours go around the text only, so that the padding can be counted and cut at the line's end.
  const last = texts.findLastIndex(({ cell }) => cell !== undefined);
  const cells = texts.slice(0, last + 1).map(({ column, cell }, index) => {
    const text = cell ? cell.paint(cell.text) : '';
    const missing = index === last ? 0 : column.width - [...(cell?.text ?? '')].length;
    return `  ${text}${' '.repeat(missing)}`;
  });
  return pad(clip(row.label, labelWidth), cells.length > 0 ? labelWidth : 0) + cells.join('');
}
