import type { Cgroup } from '../cgroups/cgroup.ts';
import { Mutex } from './mutex.ts';
import { type ContainerRecord, type ContainerState, isAlive, isTransient } from './record.ts';
import type { RecordStore } from './record-store.ts';

type RecordChange = Partial<Omit<ContainerRecord, 'heldBy'>> & { readonly heldBy?: string | undefined };

/** The cgroup of a run, wherever the daemon of then made it. */
export interface RunCgroup {
  readonly cgroup: Cgroup;
  /** Where the kernel's log stood before (`CgroupManager.logMark`). */
  readonly logMark: number | undefined;
}

/**
 * A container in the daemon's memory: its record, the lock that its verbs take, and who waits for a change. The
 * record in memory changes only after the one on the disk has.
 */
export class Container {
  readonly id: string;
  readonly mutex = new Mutex();
  /** This daemon has seen that nothing of a run is left: no process, cgroup, run folder, or holder of the root. */
  leftNothing = false;
  /** It is being restarted: its end does not remove it. */
  staysForRestart = false;
  /** Of the run under way; for the next daemon it is in the run folder (`cgroup-note.ts`), as the group it is gone with the next boot. */
  run: RunCgroup | undefined;
  #record: ContainerRecord;
  readonly #store: RecordStore;
  readonly #watchers = new Set<(container: Container) => void>();
  #gone = false;
  #ends = 0;

  constructor(record: ContainerRecord, store: RecordStore) {
    this.id = record.id;
    this.#record = record;
    this.#store = store;
  }

  get record(): ContainerRecord {
    return this.#record;
  }

  get state(): ContainerState {
    return this.#record.state;
  }

  get name(): string {
    return this.#record.name;
  }

  /** How many runs, and attempts at one, have ended since the daemon knows it. */
  get ends(): number {
    return this.#ends;
  }

  /** It has been removed; nothing is written for it any more. */
  get gone(): boolean {
    return this.#gone;
  }

  /**
   * Persists the change, then tells the watchers. Call it with the mutex held. What only tells of a run is flushed in the moment after.
   * What ends something has to go on where the disk is full (`evenIfFull`): then it is in memory only, until the next change that finds
   * room. A daemon that dies before finds an older record, and what it says is checked against the kernel at the start.
   */
  async update(change: RecordChange, { evenIfFull = false } = {}): Promise<void> {
    const next = this.#with(change);
    if (next.state.kind !== 'broken') {
      const soon = isOfRun(change, next);
      if (evenIfFull) await this.#store.writeIfRoom(next, { soon });
      else if (soon) this.#store.writeSoon(next);
      else await this.#store.write(next);
    }
    this.#put(next);
  }

  /**
   * The same for news of a transient container that the next daemon finds without its record: a run folder tells of a start, the exit record
   * in it of an end, and either makes it remove the container.
   */
  async tell(change: RecordChange, { evenIfFull = false } = {}): Promise<void> {
    if (isTransient(this.#record)) this.#put(this.#with(change));
    else await this.update(change, { evenIfFull });
  }

  /** The end of its creation, which the store's `begin` began: nothing of it is lost from here on. */
  async finishCreation(): Promise<void> {
    await this.#store.finish(this.#record);
    this.#put({ ...this.#record, state: { kind: 'created', exitCode: 0 } });
  }

  /** After the record and its folder are absent. */
  markGone(): void {
    this.#gone = true;
    this.#tell();
  }

  /** Resolves when `reached` holds: at once, or after a change that makes it hold. */
  async until(reached: (container: Container) => boolean, signal?: AbortSignal): Promise<void> {
    if (reached(this)) return;
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const watch = () => {
      if (reached(this)) resolve();
    };
    const abort = () => reject(signal?.reason);
    this.#watchers.add(watch);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await promise;
    } finally {
      this.#watchers.delete(watch);
      signal?.removeEventListener('abort', abort);
    }
  }

  #with(change: RecordChange): ContainerRecord {
    const { heldBy, ...rest } = change;
    const { heldBy: before, ...kept } = this.#record;
    const holder = 'heldBy' in change ? heldBy : before;
    return { ...kept, ...rest, ...(holder === undefined ? {} : { heldBy: holder }) };
  }

  #put(next: ContainerRecord): void {
    if (isUnderWay(this.#record.state) && !isUnderWay(next.state)) this.#ends++;
    this.#record = next;
    this.#tell();
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher(this);
  }
}

/** Where a restart policy asks at the next boot how the last run went, that is more than news of a run. */
function isOfRun(change: RecordChange, { config }: ContainerRecord): boolean {
  return !('config' in change) && !('name' in change) && config.HostConfig.RestartPolicy.Name === 'no';
}

function isUnderWay(state: ContainerState): boolean {
  return isAlive(state) || state.kind === 'starting';
}
