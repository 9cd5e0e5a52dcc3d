/** One line of GET /events (Docker Engine API). */
export interface EngineEvent {
  readonly Type: 'container' | 'image' | 'volume' | 'daemon';
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: 'local';
  /** Seconds. */
  readonly time: number;
  readonly timeNano: number;
  /** Older clients read these. */
  readonly status: string;
  readonly id: string;
  readonly from?: string;
}

type Listener = (event: EngineEvent) => void;

/** What happened, told to whoever listens; the last 256 are kept for `since`. */
export class EventBus {
  readonly #kept: EngineEvent[] = [];
  readonly #listeners = new Set<Listener>();

  publish(
    type: EngineEvent['Type'],
    action: string,
    id: string,
    attributes: Readonly<Record<string, string>>,
  ): void {
    const now = Date.now();
    const event: EngineEvent = {
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      scope: 'local',
      time: Math.floor(now / 1000),
      // A whole number of milliseconds fits a double only as text; the precision below is not there anyway.
      timeNano: now * 1_000_000,
      status: action,
      id,
      ...(attributes['image'] === undefined ? {} : { from: attributes['image'] }),
    };
    this.#kept.push(event);
    if (this.#kept.length > keptEvents) this.#kept.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** Oldest first. */
  kept(): readonly EngineEvent[] {
    return [...this.#kept];
  }

  /** Answers the function that ends it. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

const keptEvents = 256;
