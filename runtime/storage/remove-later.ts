import type { LayerId } from './driver.ts';

/** Layers that were removed while somebody used them: each is tried again from time to time until it is gone. */
export class RemoveLater {
  readonly #pauseMs: number;
  readonly #attempt: (id: LayerId) => Promise<boolean>;
  readonly #waiting = new Set<LayerId>();
  #timer: NodeJS.Timeout | undefined;

  /** `attempt` answers whether the layer is gone. What still fails when the driver closes, the next start finishes. */
  constructor(pauseMs: number, attempt: (id: LayerId) => Promise<boolean>) {
    this.#pauseMs = pauseMs;
    this.#attempt = attempt;
  }

  add(id: LayerId): void {
    this.#waiting.add(id);
    this.#timer ??= setTimeout(() => this.#tick(), this.#pauseMs).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  async #tick(): Promise<void> {
    for (const id of [...this.#waiting]) {
      // A refusal is no news: the layer is tried again, and its record keeps the intent.
      if (await this.#attempt(id).catch(() => false)) this.#waiting.delete(id);
    }
    this.#timer = undefined;
    const [first] = this.#waiting;
    if (first !== undefined) this.add(first);
  }
}
