/** One line of Docker's JSON stream, as far as it is shown. */
export interface ProgressEvent {
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** What a pull or push shows: a line for each layer that changes in place, or, without a terminal, a line for each change. */
export class ProgressText {
  readonly #lines = new Map<string, string>();
  readonly #statuses = new Map<string, string>();
  #plain = 0;

  /** Takes an event; answers the line to print where lines cannot change, undefined where nothing new is to be told. */
  take({ status, id, progressDetail = {} }: ProgressEvent): string | undefined {
    if (status === undefined) return undefined;
    const line = id === undefined ? status : `${id}: ${status}`;
    const { current, total } = progressDetail;
    const isLayer = id !== undefined && status !== '' && !status.startsWith('Pulling from');
    this.#lines.set(isLayer ? id : `line ${this.#plain++}`, `${line}${amount(current, total)}`);
    if (!isLayer) return line;
    if (this.#statuses.get(id) === status) return undefined;
    this.#statuses.set(id, status);
    return line;
  }

  screen(columns: number): string {
    return [...this.#lines.values()].map((line) => line.slice(0, columns)).join('\n');
  }
}

function amount(current: number | undefined, total: number | undefined): string {
  if (current === undefined) return '';
  if (!total) return ` ${bytes(current)}`;
  const width = 30;
  const done = Math.min(Math.floor((current / total) * width), width);
  return ` [${'='.repeat(done)}${' '.repeat(width - done)}] ${bytes(current)} of ${bytes(total)}`;
}

function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const power = Math.min(Math.floor(Math.log10(count) / 3), 4);
  return `${(count / 1000 ** power).toFixed(1)} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`;
}
