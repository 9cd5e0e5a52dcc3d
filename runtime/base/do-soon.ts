import { setImmediate as nextTurn } from 'node:timers/promises';

/** Long enough that the answer is on its way, and too short for anybody to look in between by chance. */
const pauseMs = 20;

/** What nobody waits for, in the moment after; each under the name of what it is about. */
export class DoSoon {
  readonly #waiting = new Map<string, () => unknown>();
  readonly #failed: (name: string, error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #last: Promise<void> = Promise.resolve();

  /** @param failed is told of what did not work; it is not tried again */
  constructor(failed: (name: string, error: unknown) => void = () => undefined) {
    this.#failed = failed;
  }

  /** It waits, or is under way. */
  has(name: string): boolean {
    return this.#waiting.has(name);
  }

  add(name: string, work: () => unknown): void {
    this.#waiting.set(name, work);
    this.#timer ??= setTimeout(() => void this.finish(), pauseMs).unref();
  }

  /** Afterwards nothing waits any more. */
  async finish(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#last = this.#last.then(() => this.#all());
    await this.#last;
  }

  async #all(): Promise<void> {
    for (const [name, work] of this.#waiting) {
      try {
        await work();
      } catch (error) {
        this.#failed(name, error);
      }
      this.#waiting.delete(name);
      // Each is short; others have a turn in between.
      await nextTurn();
    }
  }
}
