import { HullError } from '../../base/errors.ts';
import type { Digest } from '../digest.ts';
import type { Descriptor } from '../documents.ts';
import { downloadBlob } from './download-blob.ts';
import type { Partials } from './partials.ts';
import type { RegistrySession } from './session.ts';
import { Slots } from './slots.ts';

/** What happens to one blob on its way in. */
export type DownloadStep =
  | { readonly kind: 'waiting' | 'verifying' | 'done' }
  | { readonly kind: 'bytes'; readonly current: number }
  | { readonly kind: 'retry'; readonly waitMs: number };
export type DownloadListener = (step: DownloadStep) => void;

interface Running {
  readonly done: Promise<void>;
  readonly listeners: Set<DownloadListener>;
  users: number;
}

/** As Docker's max-concurrent-downloads. */
const atOnce = 3;

/** Blobs on their way into the partial folder: three at once in the whole daemon, each blob once, however many pulls want it. */
export class Downloads {
  readonly #partials: Partials;
  readonly #slots = new Slots(atOnce);
  readonly #running = new Map<Digest, Running>();

  constructor(partials: Partials) {
    this.#partials = partials;
  }

  /** Fetches a blob, or waits for another pull that does; `take` gives the whole file a name of its own, after which it goes. */
  async fetch<T>(
    session: RegistrySession,
    path: string,
    blob: Descriptor,
    listener: DownloadListener,
    take: (file: string) => Promise<T>,
  ): Promise<T> {
    const { digest } = blob;
    for (;;) {
      const joined = this.#running.get(digest);
      const running = joined ?? this.#begin(session, path, blob);
      running.users++;
      running.listeners.add(listener);
      if (joined) listener({ kind: 'waiting' });
      try {
        await orAborted(running.done, session.signal);
        const taken = await take(this.#partials.path(digest));
        listener({ kind: 'done' });
        return taken;
      } catch (error) {
        session.signal.throwIfAborted();
        // Another's failure, or departure, is not ours: we fetch it ourselves.
        if (!joined) throw error;
      } finally {
        running.listeners.delete(listener);
        // Our own download is over, with what it leaves, before we are; another's goes on without us.
        if (!joined) await running.done.catch(() => undefined);
        await this.#leave(digest, running);
      }
    }
  }

  #begin(session: RegistrySession, path: string, blob: Descriptor): Running {
    const listeners = new Set<DownloadListener>();
    const tell: DownloadListener = (step) => {
      for (const listener of listeners) listener(step);
    };
    const done = this.#slots.run(() => this.#download(session, path, blob, tell));
    const running = { done, listeners, users: 0 };
    this.#running.set(blob.digest, running);
    done.catch(() => {
      if (this.#running.get(blob.digest) === running) this.#running.delete(blob.digest);
    });
    return running;
  }

  async #download(
    session: RegistrySession,
    path: string,
    blob: Descriptor,
    tell: DownloadListener,
  ): Promise<void> {
    session.signal.throwIfAborted();
    try {
      await downloadBlob({
        session,
        path,
        blob,
        file: this.#partials.path(blob.digest),
        onBytes: (current) => tell({ kind: 'bytes', current }),
        onRetry: (waitMs) => tell({ kind: 'retry', waitMs }),
      });
      tell({ kind: 'verifying' });
    } catch (error) {
      const isWrong = error instanceof HullError && error.kind !== 'unavailable';
      if (isWrong && !session.signal.aborted) await this.#partials.remove(blob.digest);
      else await this.#partials.settle(blob.digest);
      throw error;
    }
  }

  /** The last one to have taken the file removes it. */
  async #leave(digest: Digest, running: Running): Promise<void> {
    running.users--;
    if (running.users > 0 || this.#running.get(digest) !== running) return;
    const whole = await running.done.then(
      () => true,
      () => false,
    );
    if (!whole) return;
    await this.#partials.remove(digest);
    if (running.users === 0 && this.#running.get(digest) === running) this.#running.delete(digest);
  }
}

/** The result of a work that goes on without us where our signal comes first. */
async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
