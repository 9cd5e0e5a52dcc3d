export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogOptions {
  /** Lines below this level are not written. */
  readonly level: LogLevel;
  /** Gets one line without its end. */
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

/** One line each, as `time=2026-01-02T03:04:05.678Z level=info msg="container started" id=4f…` (logfmt). */
export function createLog({ level, write, now = () => new Date() }: LogOptions): Log {
  const line = (at: LogLevel) => (message: string, fields?: LogFields) => {
    if (ranks[at] < ranks[level]) return;
    const pairs = Object.entries(fields ?? {}).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${formatValue(value)}`],
    );
    write([`time=${now().toISOString()}`, `level=${at}`, `msg=${formatValue(message)}`, ...pairs].join(' '));
  };
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
}

/** The message of an error and of what caused it, on one line. */
export function errorText(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(errorText).join('; also: ');
  if (!(error instanceof Error)) return String(error);
  const hint = 'hint' in error && typeof error.hint === 'string' ? ` (${error.hint})` : '';
  const cause = error.cause instanceof Error && !error.message.includes(error.cause.message);
  return `${error.message}${hint}${cause ? `: ${errorText(error.cause)}` : ''}`;
}

const ranks: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

function formatValue(value: unknown): string {
  const text = value instanceof Error ? errorText(value) : String(value);
  return /^[\w./:@+,-]+$/.test(text) ? text : JSON.stringify(text);
}
