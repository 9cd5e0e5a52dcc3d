import { createLogUpdate } from 'log-update';
import { compareResults } from '../compare.ts';
import { problemsOf } from '../problems.ts';
import { type JobId, jobOf, type Phase, type Result, type Results } from '../schema.ts';
import { count, duration, firstLine, oneLine } from '../text.ts';
import type { ReportPaths } from '../write.ts';
import { cleanJob, cleanResult } from './clean.ts';
import { finalView } from './final-view.ts';
import { liveFrame } from './live-view.ts';
import { problemLines } from './problem-lines.ts';
import { Progress } from './progress.ts';
import { createStyle, label, type Style, wantsColor } from './style.ts';

/** What a stream must offer; `process.stdout` does. */
export interface TerminalStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface TerminalOptions {
  readonly stream: TerminalStream;
  /** Milliseconds; `Date.now` unless told. */
  readonly now?: () => number;
  /** CI, NO_COLOR, FORCE_COLOR and TERM are looked at; `process.env` unless told. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly baseline?: Results;
  /** Milliseconds between two frames. */
  readonly refreshMs?: number;
}

/**
 * The run on a terminal. Someone who watches sees a matrix that is redrawn in place; a log (no TTY, or CI is set) gets one line
 * per event. Both end with the same final view. The order is: plan, any number of the others, finish; `stop` ends it early.
 */
export class TerminalReport {
  readonly #stream: TerminalStream;
  readonly #now: () => number;
  readonly #style: Style;
  readonly #progress: Progress;
  readonly #baseline: Results | undefined;
  readonly #live: ReturnType<typeof createLogUpdate> | undefined;
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TerminalOptions) {
    const env = options.env ?? process.env;
    this.#stream = options.stream;
    this.#now = options.now ?? Date.now;
    this.#baseline = options.baseline;
    this.#style = createStyle(wantsColor(env, options.stream.isTTY === true));
    this.#progress = new Progress(this.#now());
    const isWatched = options.stream.isTTY === true && !isCi(env) && env['TERM'] !== 'dumb';
    if (!isWatched) return;
    // log-update is typed for Node's streams; it uses no more of one than what TerminalStream names.
    this.#live = createLogUpdate(options.stream as NodeJS.WritableStream);
    this.#timer = setInterval(() => this.#draw(), options.refreshMs ?? 250);
    this.#timer.unref();
  }

  plan(planned: readonly JobId[]): void {
    const jobs = planned.map(cleanJob);
    this.#progress.plan(jobs);
    const hosts = count(new Set(jobs.map(({ host }) => host)).size, 'host');
    const cells = count(new Set(jobs.map((job) => `${job.host}/${job.engine}/${job.driver}`)).size, 'cell');
    this.#line('plan', `${count(jobs.length, 'job')} in ${cells} on ${hosts}`);
  }

  /** What the host does right now, until its next phase ends. */
  hostProgress(host: string, message: string): void {
    const text = oneLine(message);
    const name = oneLine(host);
    if (this.#progress.hostProgress(name, text, this.#now())) this.#line('host', `${name}: ${text}`);
  }

  /** A phase of the host that has ended. */
  hostPhase(host: string, phase: Phase): void {
    const name = oneLine(host);
    this.#progress.hostPhase(name, { ...phase, name: oneLine(phase.name) });
    this.#line('host', `${name}: ${oneLine(phase.name)} took ${duration(phase.durationMs)}`);
  }

  started(job: JobId): void {
    this.#progress.started(cleanJob(job), this.#now());
    this.#draw();
  }

  result(found: Result): void {
    const result = cleanResult(found);
    this.#progress.result(result);
    const outcome = this.#style.outcome[result.outcome](label(result.outcome).padEnd(9));
    const time = result.durationMs > 0 ? `  ${duration(result.durationMs)}` : '';
    this.#line(outcome, `${jobOf(result)}${time}`);
    if (result.outcome === 'pass') return;
    if (this.#live) {
      // Failures stay above the matrix at once; who watches need not wait for the end. A host that broke is told once.
      const [problem] = problemsOf([result]);
      if (problem && result.outcome !== 'skip' && this.#isNews(result)) {
        this.#keep(problemLines(problem, undefined, this.#columns, this.#style));
      }
    } else if (result.reason) {
      this.#stream.write(`${' '.repeat(21)}${firstLine(result.reason)}\n`);
    }
  }

  /** A line that stays, such as "kvm cannot boot a stock kernel: using tcg". */
  note(text: string): void {
    if (this.#live) this.#keep([oneLine(text)]);
    else this.#line('note', oneLine(text));
  }

  finish(results: Results, paths?: ReportPaths): void {
    this.#end();
    const comparison = this.#baseline && compareResults(results, this.#baseline);
    const input = { results, ...(paths && { paths }), ...(comparison && { comparison }) };
    this.#stream.write(`\n${finalView(input, this.#columns, this.#style).join('\n')}\n`);
  }

  /** Leaves the terminal clean, with the last frame as it is. Afterwards nothing is drawn; calling it twice is fine. */
  stop(): void {
    this.#draw();
    this.#end(false);
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  get #columns(): number {
    return Math.max(40, this.#stream.columns ?? 80);
  }

  #draw(): void {
    if (!this.#live || !this.#timer) return;
    const size = { columns: this.#columns, rows: this.#stream.rows ?? 24 };
    this.#live(liveFrame(this.#progress, this.#now(), size, this.#style));
  }

  #isNews({ outcome, host, reason }: Result): boolean {
    if (outcome !== 'infra' && outcome !== 'missing') return true;
    const what = JSON.stringify([outcome, host, reason]);
    const isNew = !this.#told.has(what);
    this.#told.add(what);
    return isNew;
  }

  /** Lines that stay above the matrix. */
  #keep(lines: readonly string[]): void {
    // Written past log-update, which would break long lines: the terminal wraps a command so that it can still be copied.
    this.#live?.clear();
    this.#stream.write(`${lines.join('\n')}\n`);
    this.#draw();
  }

  #line(what: string, text: string): void {
    if (this.#live) {
      this.#draw();
      return;
    }
    const elapsed = duration(this.#now() - this.#progress.startedAt).padStart(10);
    this.#stream.write(`${elapsed} ${/^[a-z]+$/.test(what) ? what.padEnd(9) : what} ${text}\n`);
  }

  #end(clear = true): void {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (clear) this.#live?.clear();
    this.#live?.done();
  }
}

function isCi(env: Readonly<Record<string, string | undefined>>): boolean {
  return env['CI'] !== undefined && env['CI'] !== '' && env['CI'] !== 'false' && env['CI'] !== '0';
}
