import { closeSync, fstatSync, openSync, rmSync, writeSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DoSoon } from '../base/do-soon.ts';
import { HullError, ifExists, joinErrors } from '../base/errors.ts';
import { isLocked, type LockFile } from '../kernel/lock-file.ts';
import { BusyCheck, type DriverTimings, unseen } from './busy-check.ts';
import type {
  AcquiredLayer,
  AcquireOptions,
  ChangeHint,
  CreateOptions,
  DriverCapabilities,
  DriverOptions,
  LayerId,
  StorageDriver,
} from './driver.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import type { LayerBackend } from './layer-backend.ts';
import { checkId } from './layer-id.ts';
import { type LayerRecord, LayerRecords } from './layer-records.ts';
import { readOnlyMount } from './read-only-mount.ts';
import { RemoveLater } from './remove-later.ts';
import { holdStorage } from './storage-lock.ts';

/** Seams for tests. */
export interface DriverInternals {
  readonly timings?: DriverTimings;
  /** Sees every call the driver makes to its backend. */
  readonly decorate?: (backend: LayerBackend) => LayerBackend;
}

const defaultTimings: DriverTimings = {
  busyMs: 1000,
  firstPauseMs: 10,
  longestPauseMs: 250,
  laterMs: 30_000,
};

/** A storage driver over a backend: the part of the contract that is the same for all of them. */
export class RecordedDriver implements StorageDriver {
  readonly name: string;
  readonly capabilities: DriverCapabilities;
  readonly #backend: LayerBackend;
  readonly #records: LayerRecords;
  readonly #lock: LockFile;
  readonly #lockFolder: string;
  readonly #busy: BusyCheck;
  readonly #later: RemoveLater;
  readonly #turns = new KeyedMutex();
  /** The rests of removed layers. One that cannot be removed has the next start to finish it. */
  readonly #rests = new DoSoon();

  private constructor(
    backend: LayerBackend,
    records: LayerRecords,
    lock: LockFile,
    lockFolder: string,
    timings: DriverTimings,
  ) {
    this.name = backend.name;
    this.capabilities = backend.capabilities;
    this.#backend = backend;
    this.#records = records;
    this.#lock = lock;
    this.#lockFolder = lockFolder;
    this.#busy = new BusyCheck(backend, records, lockFolder, timings);
    this.#later = new RemoveLater(timings.laterMs, (id) => this.#tryAgain(id));
  }

  /** Takes the storage lock first: nothing is looked at or changed while another process has this storage. */
  static async open(
    { home, runDir }: DriverOptions,
    openBackend: (records: readonly LayerRecord[]) => Promise<LayerBackend>,
    { timings = defaultTimings, decorate = (backend) => backend }: DriverInternals = {},
  ): Promise<RecordedDriver> {
    const { lock, lockFolder, abandon } = await holdStorage({ home, runDir });
    try {
      const records = await LayerRecords.open(join(home, 'records'));
      const backend = decorate(await openBackend(records.all()));
      records.flushesIntents = backend.keepsOrder !== true;
      return new RecordedDriver(backend, records, lock, lockFolder, timings);
    } catch (error) {
      await abandon();
      throw error;
    }
  }

  async create(
    id: LayerId,
    parentId: LayerId | undefined,
    { size, transient = false }: CreateOptions = {},
  ): Promise<void> {
    checkId(id);
    using _ = await this.#turns.take(id);
    const found = this.#records.get(id);
    if (found?.state === 'ready') {
      throw new HullError(`Cannot create layer ${id}: it exists`, { kind: 'conflict' });
    }
    if (found) await this.#finishRemoval(found);
    else if (this.#rests.has(id)) await this.#rests.finish();
    const parent = parentId === undefined ? undefined : this.#ready(parentId, `create layer ${id}`);
    const depth = (parent?.depth ?? 0) + 1;
    const { maxDepth } = this.capabilities;
    if (maxDepth !== undefined && depth > maxDepth) {
      throw new HullError(
        `Cannot create layer ${id}: its chain would have ${depth} layers, wanted at most ${maxDepth}`,
        { kind: 'invalid' },
      );
    }
    const missing = size === undefined ? undefined : await this.#backend.lacksForSize(size, parent);
    if (missing !== undefined) {
      throw new HullError(
        `Cannot create layer ${id} of at most ${size} bytes: driver ${this.name} lacks ${missing}`,
        { kind: 'unsupported' },
      );
    }
    const layer: LayerRecord = {
      version: 1,
      id,
      ...(parentId === undefined ? {} : { parent: parentId }),
      state: 'creating',
      depth,
      ...this.#backend.newKey(id, parent),
      ...(size === undefined ? {} : { size }),
      ...(transient && { transient }),
    };
    await this.#records.put(layer);
    const ready: LayerRecord = { ...layer, state: 'ready' };
    try {
      await this.#backend.make(layer, parent);
      await this.#records.put(ready);
    } catch (error) {
      throw await this.#undo(layer, error);
    }
    await this.#backend.made(ready);
    this.#busy.made(id);
  }

  async remove(id: LayerId): Promise<void> {
    using _ = await this.#turns.take(id);
    const layer = this.#records.get(id);
    if (!layer) return this.#forgetDamaged(id);
    this.#refuseWithChildren(id);
    try {
      await this.#busy.waitUntilFree(layer, 'remove');
    } catch (error) {
      if (!(await this.#goesLater(layer, error))) throw error;
      await this.#records.markRemoving(layer);
      this.#later.add(id);
      return;
    }
    await this.#refuseUnlessRemovable(layer);
    // A child may have been made during the wait; from here to the record nothing else runs.
    this.#refuseWithChildren(id);
    await this.#finishRemoval(layer);
    this.#busy.shown(id);
  }

  async list({ transient = false }: { readonly transient?: boolean } = {}): Promise<readonly LayerId[]> {
    const ready = this.#records.all().filter(({ state }) => state === 'ready');
    return ready.filter((layer) => !transient || layer.transient).map(({ id }) => id);
  }

  async acquire(
    id: LayerId,
    { brief = false, readOnly = false }: AcquireOptions = {},
  ): Promise<AcquiredLayer> {
    using _ = await this.#turns.take(id);
    const layer = this.#ready(id, `acquire layer ${id}`);
    const lockPath = this.#busy.lockPath(id);
    const lockFile = openSync(lockPath, 'a', 0o600);
    try {
      // Only where a container has been on it since the machine started can somebody have got hold of a file in it.
      const shown = fstatSync(lockFile).size > 0;
      await this.#busy.retry(layer, 'acquire', async () => {
        const seen = this.#busy.seenBy(layer);
        if (seen !== undefined || !shown) return seen;
        return this.#backend.hiddenUser(this.#records.chain(layer)) ? unseen : undefined;
      });
      this.#busy.shown(id);
      const mounts = await this.#backend.activate(this.#records.chain(layer), readOnly);
      if (!brief && !shown) writeSync(lockFile, 'shown to a container\n');
      return { mounts: readOnly ? mounts.map(readOnlyMount) : mounts, lockPath };
    } finally {
      closeSync(lockFile);
    }
  }

  async release(id: LayerId): Promise<void> {
    using _ = await this.#turns.take(id);
    const layer = this.#records.get(id);
    if (layer) await this.#busy.waitUntilFree(layer, 'release');
  }

  async changeHint(id: LayerId): Promise<ChangeHint | undefined> {
    const layer = this.#records.get(id);
    const parent = layer?.parent === undefined ? undefined : this.#records.get(layer.parent);
    return layer && parent ? await this.#backend.changeHint?.(layer, parent) : undefined;
  }

  parentOf(id: LayerId): LayerId | undefined {
    return this.#records.get(id)?.parent;
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    return this.#backend.status();
  }

  async reconcile(inUse: ReadonlySet<LayerId>): Promise<readonly string[]> {
    await this.#rests.finish();
    const did = this.#records.damaged.map(
      (id) =>
        `The record of layer ${id} is damaged and was set aside; what belongs to it stays until it is removed.`,
    );
    for (const layer of this.#records.all()) {
      using _ = await this.#turns.take(layer.id);
      if (layer.state === 'ready') {
        if (!inUse.has(layer.id)) did.push(...(await this.#letGo(layer)));
        continue;
      }
      const what = layer.state === 'creating' ? 'half-made' : 'half-removed';
      did.push(
        await told(`Removed the ${what} layer ${layer.id}.`, async () => {
          await this.#busy.waitUntilFree(layer, 'remove');
          await this.#refuseUnlessRemovable(layer);
          await this.#finishRemoval(layer);
        }),
      );
      if (this.#backend.defersRemoval && this.#records.get(layer.id)) this.#later.add(layer.id);
    }
    did.push(...(await this.#sweep()));
    for (const name of (await ifExists(readdir(this.#lockFolder))) ?? []) {
      if (!this.#records.get(name.replace(/\.lock$/, '')))
        await rm(join(this.#lockFolder, name), { force: true });
    }
    return did;
  }

  async close(): Promise<void> {
    this.#later.stop();
    await this.#rests.finish();
    try {
      await this.#backend.close();
    } finally {
      await this.#lock.release();
    }
  }

  #ready(id: LayerId, action: string): LayerRecord {
    const layer = this.#records.get(id);
    if (layer?.state === 'ready') return layer;
    const found = layer ? `is half ${layer.state === 'creating' ? 'made' : 'removed'}` : 'does not exist';
    throw new HullError(`Cannot ${action}: layer ${id} ${found}`, { kind: 'not-found' });
  }

  #refuseWithChildren(id: LayerId): void {
    const children = this.#records.children(id).map((child) => child.id);
    if (children.length === 0) return;
    throw new HullError(`Cannot remove layer ${id}: it is the parent of ${children.join(', ')}`, {
      kind: 'conflict',
    });
  }

  // Only what some stranger keeps: who has the lock is a container that runs.
  async #goesLater(layer: LayerRecord, error: unknown): Promise<boolean> {
    if (!this.#backend.defersRemoval || !(error instanceof HullError) || error.kind !== 'busy') return false;
    return layer.state === 'ready' && !isLocked(this.#busy.lockPath(layer.id));
  }

  /** Answers whether it is gone. */
  async #tryAgain(id: LayerId): Promise<boolean> {
    using _ = await this.#turns.take(id);
    const layer = this.#records.get(id);
    if (layer?.state !== 'removing') return true;
    if (this.#busy.seenBy(layer) !== undefined || !(await this.#backend.deactivate(layer))) return false;
    await this.#finishRemoval(layer);
    return true;
  }

  async #refuseUnlessRemovable(layer: LayerRecord): Promise<void> {
    const reason = await this.#backend.whyNotRemovable(layer);
    if (reason === undefined) return;
    throw new HullError(`Cannot remove layer ${layer.id}: ${reason}`, { kind: 'busy' });
  }

  async #forgetDamaged(id: LayerId): Promise<void> {
    if (!this.#records.damaged.includes(id)) return;
    await this.#records.delete(id);
    await this.#sweep();
  }

  // What no record names may belong to a layer whose record is damaged: nothing is swept as long as there is one.
  async #sweep(): Promise<readonly string[]> {
    return this.#records.damaged.length > 0 ? [] : this.#backend.sweep(this.#records.all());
  }

  async #letGo(layer: LayerRecord): Promise<readonly string[]> {
    if (!this.capabilities.hostWide || !this.#backend.heldThing(this.#records.chain(layer))) return [];
    return [
      await told(`Released layer ${layer.id}, which nobody uses.`, () =>
        this.#busy.waitUntilFree(layer, 'release'),
      ),
    ];
  }

  async #finishRemoval(layer: LayerRecord): Promise<void> {
    if (layer.state === 'ready') await this.#records.markRemoving(layer);
    const { id } = layer;
    const removeRest = await this.#backend.destroy(layer, this.#records.chain(layer)[1]);
    if (removeRest) {
      this.#records.forget(id);
      this.#rests.add(id, async () => {
        await removeRest();
        await this.#records.delete(id);
      });
    } else await this.#records.delete(id);
    rmSync(this.#busy.lockPath(id), { force: true });
  }

  async #undo(layer: LayerRecord, error: unknown): Promise<unknown> {
    try {
      await this.#finishRemoval(layer);
      return error;
    } catch (later) {
      return joinErrors(error, later);
    }
  }
}

async function told(success: string, action: () => Promise<void>): Promise<string> {
  try {
    await action();
    return success;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
