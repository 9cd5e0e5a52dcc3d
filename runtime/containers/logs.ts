import { readLogFrames } from '../launch/log-frames.ts';
import type { LogFrame } from '../launch/types.ts';
import type { Container } from './container.ts';
import { type Engine, logPathOf } from './engine.ts';
import { followLog } from './follow-log.ts';

export interface LogsQuery {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** Lines from the end, or all of them. */
  readonly tail: number | 'all';
  /** Nanoseconds since 1970. */
  readonly since?: bigint;
  readonly until?: bigint;
}

export interface LogChunk {
  readonly stream: LogFrame['stream'];
  readonly data: Buffer;
}

/** What `docker logs` shows. Ends with the container where it follows, or with `signal`. */
export async function* containerLogs(
  engine: Engine,
  container: Container,
  query: LogsQuery,
  signal: AbortSignal,
): AsyncGenerator<LogChunk> {
  const path = logPathOf(engine, container.id);
  const wanted = (frame: LogFrame) =>
    (frame.stream === 'stdout' ? query.stdout : query.stderr) &&
    (query.since === undefined || frame.time >= query.since) &&
    (query.until === undefined || frame.time <= query.until);
  const whole = query.tail === 'all' && !query.timestamps;
  const cutter = new LineCutter(query.timestamps);
  let skip = 0;
  if (!whole || !query.follow) {
    const last: LogChunk[] = [];
    for await (const frame of readLogFrames(path, { signal })) {
      skip++;
      if (!wanted(frame)) continue;
      if (whole) {
        yield frame;
        continue;
      }
      for (const line of cutter.cut(frame)) {
        if (query.tail === 'all') yield line;
        else keepLast(last, line, query.tail);
      }
    }
    if (!query.follow) for (const line of cutter.rest()) last.push(line);
    yield* query.tail === 'all' ? last : last.slice(Math.max(0, last.length - query.tail));
  }
  if (!query.follow) return;
  // `docker logs -f` of a container that does not run ends; so does one whose container ends.
  const ended = container.until(({ state, gone }) => gone || !isOngoing(state.kind), signal);
  for await (const frame of await followLog({ path, skip, ended, signal })) {
    if (query.until !== undefined && frame.time > query.until) return;
    if (!wanted(frame)) continue;
    if (whole) yield frame;
    else yield* cutter.cut(frame);
  }
  yield* cutter.rest();
}

/** Cuts frames, which end anywhere, into lines, one unfinished line per stream. */
class LineCutter {
  readonly #timestamps: boolean;
  readonly #open = new Map<LogFrame['stream'], { readonly time: bigint; readonly data: Buffer }>();

  constructor(timestamps: boolean) {
    this.#timestamps = timestamps;
  }

  *cut({ stream, time, data }: LogFrame): Generator<LogChunk> {
    const open = this.#open.get(stream);
    const since = open?.time ?? time;
    const all = open ? Buffer.concat([open.data, data]) : data;
    let from = 0;
    for (let end = all.indexOf(newline); end >= 0; end = all.indexOf(newline, from)) {
      yield this.#line(stream, from === 0 ? since : time, all.subarray(from, end + 1));
      from = end + 1;
    }
    if (from < all.length)
      this.#open.set(stream, { time: from === 0 ? since : time, data: all.subarray(from) });
    else this.#open.delete(stream);
  }

  *rest(): Generator<LogChunk> {
    for (const [stream, { time, data }] of this.#open) yield this.#line(stream, time, data);
    this.#open.clear();
  }

  #line(stream: LogFrame['stream'], time: bigint, data: Buffer): LogChunk {
    if (!this.#timestamps) return { stream, data };
    return { stream, data: Buffer.concat([Buffer.from(`${formatNanoseconds(time)} `), data]) };
  }
}

/** RFC 3339 with nine digits of a second, as Docker writes them. */
export function formatNanoseconds(time: bigint): string {
  const seconds = new Date(Number(time / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(time % 1_000_000_000n).padStart(9, '0')}Z`;
}

function keepLast(kept: LogChunk[], line: LogChunk, count: number): void {
  kept.push(line);
  // Cut in bulk: a shift per line would be quadratic.
  if (kept.length > 2 * count + 1024) kept.splice(0, kept.length - count);
}

function isOngoing(kind: Container['state']['kind']): boolean {
  return kind === 'running' || kind === 'paused' || kind === 'starting' || kind === 'restarting';
}

const newline = 0x0a;
