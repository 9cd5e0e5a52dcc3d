import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HullError } from '../base/errors.ts';
import { findHolders, findMountHolders, holdersText } from '../kernel/holders.ts';
import { isLocked, lockHolders } from '../kernel/lock-file.ts';
import type { LayerBackend } from './layer-backend.ts';
import type { LayerRecord, LayerRecords } from './layer-records.ts';

/** Waits as values, so that a test can shrink them. */
export interface DriverTimings {
  /** How long a busy layer is tried again before its holders are named. */
  readonly busyMs: number;
  /** The first pause; each is twice the one before, up to `longestPauseMs`: a look at all of /proc is work. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** Between two looks at whether a removed layer that was in use is free now. */
  readonly laterMs: number;
}

export type BusyAction = 'acquire' | 'release' | 'remove';

/** Somebody uses it, and only a search through everybody's open files can tell who. */
export const unseen = 'unseen';

/** Whether somebody uses a layer, who it is, and waiting for it to end. */
export class BusyCheck {
  readonly #backend: LayerBackend;
  readonly #records: LayerRecords;
  readonly #lockFolder: string;
  readonly #timings: DriverTimings;
  /**
   * Layers that nobody has had a mount of since they were made, or since a search found nobody: a namespace that shows one is a copy of
   * one that does. The search reads a link of every process of the host, so it is made once for each use.
   */
  readonly #unshown = new Set<string>();

  constructor(backend: LayerBackend, records: LayerRecords, lockFolder: string, timings: DriverTimings) {
    this.#backend = backend;
    this.#records = records;
    this.#lockFolder = lockFolder;
    this.#timings = timings;
  }

  lockPath(id: string): string {
    return join(this.#lockFolder, `${id}.lock`);
  }

  /** Its mounts are about to be handed out, or it is gone. */
  shown(id: string): void {
    this.#unshown.delete(id);
  }

  /** It has just been made. */
  made(id: string): void {
    this.#unshown.add(id);
  }

  /** Nobody has the lock, and no mount namespace shows the layer: undefined, or who does. */
  seenBy(layer: LayerRecord): string | undefined {
    const lockPath = this.lockPath(layer.id);
    if (isLocked(lockPath)) return `its lock is held by ${lockHolders(lockPath)}`;
    const chain = this.#records.chain(layer);
    const thing = this.#backend.heldThing(chain);
    if (!thing) return undefined;
    const holders = this.#unshown.has(layer.id) ? [] : findMountHolders(thing);
    if (holders.length > 0) return holdersText(holders);
    return this.#backend.pinned(chain) ? unseen : undefined;
  }

  /** The one release path: what is busy is tried again for a short time, then left to go by itself, and named. */
  async waitUntilFree(layer: LayerRecord, action: 'release' | 'remove'): Promise<void> {
    await this.retry(layer, action, async () => {
      const seen = this.seenBy(layer);
      if (seen !== undefined) return seen;
      return (await this.#backend.deactivate(layer)) ? undefined : unseen;
    });
    this.#unshown.add(layer.id);
  }

  async retry(
    layer: LayerRecord,
    action: BusyAction,
    busyBecause: () => Promise<string | undefined>,
  ): Promise<void> {
    const { busyMs, firstPauseMs, longestPauseMs } = this.#timings;
    const deadline = Date.now() + busyMs;
    for (let pause = firstPauseMs; ; pause = Math.min(2 * pause, longestPauseMs)) {
      const reason = await busyBecause();
      if (reason === undefined) return;
      if (Date.now() < deadline) {
        await sleep(pause);
        continue;
      }
      const thing = this.#backend.heldThing(this.#records.chain(layer));
      const holders = reason === unseen && thing ? holdersText(findHolders(thing)) : reason;
      const deferred = action !== 'acquire' && (await this.#backend.deferDeactivation(layer));
      throw new HullError(`Cannot ${action} layer ${layer.id}: ${holders}`, {
        kind: 'busy',
        ...(deferred ? { hint: 'Its device goes away by itself as soon as the last of them lets go.' } : {}),
      });
    }
  }
}
