import { syncPath } from '../base/atomic-file.ts';
import { ifExists } from '../base/errors.ts';

/** Long enough that a short container's whole life is one flush, or none where it was removed meanwhile. */
const pauseMs = 100;

/** Files and folders that are flushed in the moment after, each once for all that was written to it until then. */
export class FlushSoon {
  readonly #waiting = new Map<string, { readonly done: () => void }>();
  readonly #failed: (path: string, error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(failed: (path: string, error: unknown) => void) {
    this.#failed = failed;
  }

  awaits(path: string): boolean {
    return this.#waiting.has(path);
  }

  /** `done` is called after the flush, unless more was written meanwhile. */
  add(path: string, done: () => void = () => undefined): void {
    this.#waiting.set(path, { done });
    this.#timer ??= setTimeout(() => void this.flush(), pauseMs).unref();
  }

  forget(path: string): void {
    this.#waiting.delete(path);
  }

  /** Afterwards all that waited is on the disk, or `failed` was told of it. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [path, entry] of [...this.#waiting]) {
      try {
        await ifExists(syncPath(path));
        if (this.#waiting.get(path) !== entry) continue;
        entry.done();
      } catch (error) {
        this.#failed(path, error);
      }
      if (this.#waiting.get(path) === entry) this.#waiting.delete(path);
    }
  }
}
