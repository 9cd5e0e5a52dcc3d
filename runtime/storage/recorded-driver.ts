import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HullError, ifExists, joinErrors } from '../base/errors.ts';
import { findHolders, findMountHolders, holdersText } from '../kernel/holders.ts';
import { isLocked, LockFile, lockHolders, lockOwner } from '../kernel/lock-file.ts';
import type {
  AcquiredLayer,
  AcquireOptions,
  CreateOptions,
  DriverCapabilities,
  DriverOptions,
  LayerId,
  StorageDriver,
} from './driver.ts';
import { KeyedMutex } from './keyed-mutex.ts';
import type { LayerBackend } from './layer-backend.ts';
import { type LayerRecord, LayerRecords } from './layer-records.ts';
import { readOnlyMount } from './read-only-mount.ts';

/** Waits as values, so that a test can shrink them. */
export interface DriverTimings {
  /** How long a busy layer is tried again before its holders are named. */
  readonly busyMs: number;
  /** The first pause; each is twice the one before, up to `longestPauseMs`: a look at all of /proc is work. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}

/** Seams for tests. */
export interface DriverInternals {
  readonly timings?: DriverTimings;
  /** Sees every call the driver makes to its backend. */
  readonly decorate?: (backend: LayerBackend) => LayerBackend;
}

const defaultTimings: DriverTimings = { busyMs: 1000, firstPauseMs: 10, longestPauseMs: 250 };

/** A storage driver over a backend: the part of the contract that is the same for all of them. */
export class RecordedDriver implements StorageDriver {
  readonly name: string;
  readonly capabilities: DriverCapabilities;
  readonly #backend: LayerBackend;
  readonly #records: LayerRecords;
  readonly #lock: LockFile;
  readonly #lockFolder: string;
  readonly #timings: DriverTimings;
  readonly #turns = new KeyedMutex();

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
    this.#timings = timings;
  }

  /** Takes the storage lock first: nothing is looked at or changed while another process has this storage. */
  static async open(
    { home, runDir }: DriverOptions,
    openBackend: (records: readonly LayerRecord[]) => Promise<LayerBackend>,
    { timings = defaultTimings, decorate = (backend) => backend }: DriverInternals = {},
  ): Promise<RecordedDriver> {
    const lockFolder = join(runDir, 'locks');
    await mkdir(home, { recursive: true, mode: 0o700 });
    await mkdir(lockFolder, { recursive: true, mode: 0o700 });
    const lockPath = join(home, 'lock');
    const lock = await LockFile.tryTake(lockPath);
    if (!lock) {
      const owner = lockOwner(lockPath) ?? 'another process';
      throw new HullError(`Cannot open storage ${JSON.stringify(home)}: ${owner} has it`, {
        kind: 'conflict',
      });
    }
    try {
      const records = await LayerRecords.open(join(home, 'records'));
      const backend = decorate(await openBackend(records.all()));
      return new RecordedDriver(backend, records, lock, lockFolder, timings);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  async create(id: LayerId, parentId: LayerId | undefined, { size }: CreateOptions = {}): Promise<void> {
    checkId(id);
    using _ = await this.#turns.take(id);
    const found = this.#records.get(id);
    if (found?.state === 'ready') {
      throw new HullError(`Cannot create layer ${id}: it exists`, { kind: 'conflict' });
    }
    if (found) await this.#finishRemoval(found);
    const parent = parentId === undefined ? undefined : this.#ready(parentId, `create layer ${id}`);
    const depth = (parent?.depth ?? 0) + 1;
    const { maxDepth } = this.capabilities;
    if (maxDepth !== undefined && depth > maxDepth) {
      throw new HullError(
        `Cannot create layer ${id}: its chain would have ${depth} layers, wanted at most ${maxDepth}`,
        { kind: 'invalid' },
      );
    }
    const missing = size === undefined ? undefined : await this.#backend.lacksForSize(size);
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
      ...(size === undefined ? {} : { size }),
      ...this.#backend.newKey(id),
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
  }

  async remove(id: LayerId): Promise<void> {
    using _ = await this.#turns.take(id);
    const layer = this.#records.get(id);
    if (!layer) return this.#forgetDamaged(id);
    this.#refuseWithChildren(id);
    await this.#waitUntilFree(layer, 'remove');
    await this.#refuseUnlessRemovable(layer);
    // A child may have been made during the wait; from here to the record nothing else runs.
    this.#refuseWithChildren(id);
    await this.#finishRemoval(layer);
  }

  async list(): Promise<readonly LayerId[]> {
    return this.#records.all().flatMap(({ id, state }) => (state === 'ready' ? [id] : []));
  }

  async acquire(
    id: LayerId,
    { brief = false, readOnly = false }: AcquireOptions = {},
  ): Promise<AcquiredLayer> {
    using _ = await this.#turns.take(id);
    const layer = this.#ready(id, `acquire layer ${id}`);
    const lockPath = this.#lockPath(id);
    await using lockFile = await open(lockPath, 'a', 0o600);
    // Only where a container has been on it since the machine started can somebody have got hold of a file in it.
    const shown = (await lockFile.stat()).size > 0;
    await this.#retryWhileBusy(layer, 'acquire', async () => {
      const seen = await this.#seenBy(layer);
      if (seen !== undefined || !shown) return seen;
      return this.#backend.hiddenUser(this.#records.chain(layer)) ? unseen : undefined;
    });
    const mounts = await this.#backend.activate(this.#records.chain(layer));
    if (!brief && !shown) await lockFile.write('shown to a container\n');
    return { mounts: readOnly ? mounts.map(readOnlyMount) : mounts, lockPath };
  }

  async release(id: LayerId): Promise<void> {
    using _ = await this.#turns.take(id);
    const layer = this.#records.get(id);
    if (layer) await this.#waitUntilFree(layer, 'release');
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    return this.#backend.status();
  }

  async reconcile(inUse: ReadonlySet<LayerId>): Promise<readonly string[]> {
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
          await this.#waitUntilFree(layer, 'remove');
          await this.#refuseUnlessRemovable(layer);
          await this.#finishRemoval(layer);
        }),
      );
    }
    did.push(...(await this.#sweep()));
    for (const name of (await ifExists(readdir(this.#lockFolder))) ?? []) {
      if (!this.#records.get(name.replace(/\.lock$/, '')))
        await rm(join(this.#lockFolder, name), { force: true });
    }
    return did;
  }

  async close(): Promise<void> {
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

  #lockPath(id: LayerId): string {
    return join(this.#lockFolder, `${id}.lock`);
  }

  // Nobody has the lock, and no mount namespace shows the layer: undefined, or who does.
  async #seenBy(layer: LayerRecord): Promise<string | undefined> {
    const lockPath = this.#lockPath(layer.id);
    if (await isLocked(lockPath)) return `its lock is held by ${lockHolders(lockPath)}`;
    const chain = this.#records.chain(layer);
    const thing = this.#backend.heldThing(chain);
    if (!thing) return undefined;
    const holders = findMountHolders(thing);
    if (holders.length > 0) return holdersText(holders);
    return this.#backend.pinned(chain) ? unseen : undefined;
  }

  // The one release path: what is busy is tried again for a short time, then left to go by itself, and named.
  async #waitUntilFree(layer: LayerRecord, action: 'release' | 'remove'): Promise<void> {
    await this.#retryWhileBusy(layer, action, async () => {
      const seen = await this.#seenBy(layer);
      if (seen !== undefined) return seen;
      return (await this.#backend.deactivate(layer)) ? undefined : unseen;
    });
  }

  async #retryWhileBusy(
    layer: LayerRecord,
    action: 'acquire' | 'release' | 'remove',
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

  async #letGo(layer: LayerRecord): Promise<readonly string[]> {
    if (!this.capabilities.hostWide || !this.#backend.heldThing(this.#records.chain(layer))) return [];
    return [
      await told(`Released layer ${layer.id}, which nobody uses.`, () =>
        this.#waitUntilFree(layer, 'release'),
      ),
    ];
  }

  async #finishRemoval(layer: LayerRecord): Promise<void> {
    if (layer.state === 'ready') await this.#records.markRemoving(layer);
    await this.#backend.destroy(layer);
    await this.#records.delete(layer.id);
    await rm(this.#lockPath(layer.id), { force: true });
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

const unseen = 'unseen';

async function told(success: string, action: () => Promise<void>): Promise<string> {
  try {
    await action();
    return success;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function checkId(id: LayerId): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id)) return;
  throw new HullError(
    `Cannot create layer ${JSON.stringify(id)}: wanted 1 to 128 letters, digits, "_", "." or "-", not beginning with a sign`,
    { kind: 'invalid' },
  );
}
