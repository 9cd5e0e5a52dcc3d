/** One line of Docker's JSON stream (jsonmessage). */
export interface ProgressLine {
  readonly status?: string;
  readonly id?: string;
  /** Bytes. */
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly aux?: unknown;
}

export type ProgressSink = (line: ProgressLine) => void;

/** A layer's lines: a change of its status at once, its bytes not more often than every so many milliseconds. */
export class LayerProgress {
  readonly #sink: ProgressSink;
  readonly #id: string;
  readonly #total: number;
  readonly #everyMs: number;
  #last = Number.NEGATIVE_INFINITY;
  #status = '';

  constructor(sink: ProgressSink, id: string, total: number, everyMs: number) {
    this.#sink = sink;
    this.#id = id;
    this.#total = total;
    this.#everyMs = everyMs;
  }

  status(status: string): void {
    this.#status = status;
    this.#last = Number.NEGATIVE_INFINITY;
    this.#sink({ status, progressDetail: {}, id: this.#id });
  }

  bytes(status: string, current: number): void {
    const now = performance.now();
    if (status === this.#status && current < this.#total && now - this.#last < this.#everyMs) return;
    this.#status = status;
    this.#last = now;
    this.#sink({ status, progressDetail: { current, total: this.#total }, id: this.#id });
  }
}
