import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineControl } from '../engines/engine.ts';
import { testImageReference } from '../images/test-image.ts';
import type { Allowance, Difference, Snapshot } from '../leaks/types.ts';
import { cellName } from '../matrix/cell.ts';
import type { SshRunOptions } from '../ssh/ssh.ts';
import type { CellSession } from './cell-session.ts';
import { ScenarioSkip, WaitTimeout } from './errors.ts';
import { seededRandom } from './random.ts';
import type { FoundLeak, ScenarioContext, ScenarioHost } from './scenario-context.ts';

/** For all of what a scenario has deferred. */
const undoMs = 30_000;

/** One run of one scenario: what it did, how it failed, what it must undo. */
export class RunningScenario {
  readonly session: CellSession;
  readonly steps: { readonly name: string; readonly atMs: number }[] = [];
  readonly holders: string[] = [];
  /** Rejects with the reason when the scenario is aborted. */
  readonly aborted: Promise<never>;
  leaks: readonly FoundLeak[] = [];
  failure: unknown;
  failedStep = '';
  readonly #name: string;
  readonly #random: () => number;
  readonly #allow: readonly Allowance[];
  readonly #controller = new AbortController();
  readonly #deferred: (() => PromiseLike<unknown>)[] = [];
  readonly #started = performance.now();
  /** What bounds the use of the host once the scenario's own signal is aborted. */
  #undoing: AbortSignal | undefined;

  /** @param name unique in the cell; part of the names the scenario gives. */
  constructor(session: CellSession, name: string, allow: readonly Allowance[] = []) {
    const { cell, seed } = session.run;
    this.session = session;
    this.#name = name;
    this.#random = seededRandom(seed, `${cellName(cell)}:${name}`);
    this.#allow = allow;
    const signal = AbortSignal.any([this.#controller.signal, session.ssh.lost]);
    this.signal = signal;
    this.#current = signal;
    this.aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    this.aborted.catch(() => {});
  }

  readonly signal: AbortSignal;
  /** What calls of the scenario belong to now: its own signal, or that of what it deferred. */
  #current: AbortSignal;

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  step(name: string): void {
    this.steps.push({ name, atMs: performance.now() - this.#started });
  }

  /** The first failure counts; a later one is kept beside it. */
  fail(error: unknown): void {
    if (this.failure === undefined) {
      this.failure = error;
      this.failedStep = this.steps.at(-1)?.name ?? 'begin';
      return;
    }
    this.later.push(
      `${this.steps.at(-1)?.name ?? ''}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }

  /** Failures after the first: of the clean-up, for instance. */
  readonly later: string[] = [];

  found(differences: readonly Difference[]): void {
    this.leaks = differences.map(toLeak);
  }

  /** Afterwards all is undone that could be; what is deferred may use the host although the scenario is over. */
  async runDeferred(): Promise<void> {
    this.#undoing = AbortSignal.any([AbortSignal.timeout(undoMs), this.session.ssh.lost]);
    this.session.client.use(this.#undoing);
    for (const undo of this.#deferred.toReversed()) {
      try {
        await undo();
      } catch (error) {
        this.step('undo what the scenario deferred');
        this.fail(error);
      }
    }
  }

  context(before: Snapshot): ScenarioContext {
    const { session, signal } = this;
    session.client.use(signal);
    const step = <T>(name: string, action?: () => Promise<T>): Promise<T> | undefined => {
      signal.throwIfAborted();
      this.step(name);
      return action?.();
    };
    return {
      cell: session.run.cell,
      docker: session.docker,
      engine: this.#engine(),
      host: this.#host(),
      image: testImageReference,
      signal,
      step: step as ScenarioContext['step'],
      waitFor: (sentence, probe, options) => this.#waitFor(sentence, probe, options),
      skip: (missing) => {
        throw new ScenarioSkip(missing);
      },
      holders: (lines) => this.holders.push(...lines),
      name: (prefix) => `${prefix}-${this.#name}`.slice(0, 120),
      random: this.#random,
      defer: (undo) => this.#deferred.push(undo),
      leaks: async () => (await session.leaks.diff(before, { ignore: this.#allow })).map(toLeak),
    };
  }

  /** A body that outlived its time must not start an engine under the next scenario. */
  #engine(): EngineControl {
    const current = () => this.#current;
    return new Proxy(this.session.engine, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          current().throwIfAborted();
          return Reflect.apply(value, target, args);
        };
      },
    });
  }

  #host(): ScenarioHost {
    const { ssh, run } = this.session;
    const bound = (options: SshRunOptions = {}): SshRunOptions => {
      const signal = this.#undoing ?? this.signal;
      return { ...options, signal: options.signal ? AbortSignal.any([options.signal, signal]) : signal };
    };
    const begun = <T>(action: () => Promise<T>): Promise<T> => {
      (this.#undoing ?? this.signal).throwIfAborted();
      return action();
    };
    return {
      name: run.cell.host,
      facts: run.facts,
      run: (argv, options) => ssh.run(argv, bound(options)),
      ok: (argv, options) => ssh.ok(argv, bound(options)),
      readFile: (path) => begun(() => ssh.readFile(path)),
      writeFile: (path, data, options) => begun(() => ssh.writeFile(path, data, options)),
      spawn: (argv) =>
        begun(async () => {
          const process = await ssh.spawn(argv);
          this.#deferred.push(() => process[Symbol.asyncDispose]());
          return process;
        }),
    };
  }

  async #waitFor<T>(
    sentence: string,
    probe: () => Promise<T | undefined | false>,
    {
      timeoutMs = 20_000,
      intervalMs = 100,
    }: { readonly timeoutMs?: number; readonly intervalMs?: number } = {},
  ): Promise<T> {
    const started = performance.now();
    const limit = timeoutMs * this.session.patience;
    let last: unknown;
    for (;;) {
      this.signal.throwIfAborted();
      try {
        const answer = await probe();
        if (answer !== undefined && answer !== false) return answer;
        last = undefined;
      } catch (error) {
        last = error;
      }
      if (performance.now() - started > limit) throw new WaitTimeout(sentence, limit, last);
      await sleep(intervalMs, undefined, { signal: this.signal });
    }
  }
}

function toLeak({ kind, what, change, owner }: Difference): FoundLeak {
  const text = change === 'added' ? what : `${what} (${change})`;
  return owner === undefined ? { kind, what: text } : { kind, what: text, owner };
}
