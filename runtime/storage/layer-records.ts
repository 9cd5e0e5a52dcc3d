import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { jsonText, readJson, removeTemporaries, syncFolder, writeFileAtomic } from '../base/atomic-file.ts';
import type { LayerId } from './driver.ts';

/** What lasts of a layer. It is there before anything it describes is made. */
export interface LayerRecord {
  readonly version: 1;
  readonly id: LayerId;
  readonly parent?: LayerId;
  /** `creating` and `removing` are intents: a start that finds one finishes the undoing. */
  readonly state: 'creating' | 'ready' | 'removing';
  /** The driver's own name for it: overlay's short folder, the thin device's number. */
  readonly key: string;
  /** Layers from the bottom of the chain, itself included: 1 without a parent. */
  readonly depth: number;
  /** Bytes it may take, where it was made with a limit. */
  readonly size?: number;
  /** What a power cut leaves of it is as good as nothing. */
  readonly transient?: true;
  /** devicemapper: the pool transaction that makes it. */
  readonly transaction?: number;
}

/**
 * The layer records of one driver: one file each, all of them in memory (the storage lock makes us the only writer). What is written counts
 * at once for the next process, however this one ends; after a power cut it does where it was flushed.
 *
 *     <id>.json            ready
 *     <id>.json.creating   an intent; one that was cut off while it was written is as good as none
 *     <id>.json.removing   an intent, by its name alone
 *     <id>.json.damaged    set aside
 *
 * A transient one is `<id>.json.transient` when it is ready, by its name alone, and what was cut off of it is as good as none.
 */
export class LayerRecords {
  /** Off where the journal of a file system keeps the order of a name and what is done after it. */
  flushesIntents = true;
  readonly #folder: string;
  readonly #records = new Map<LayerId, LayerRecord>();
  readonly #damaged: Set<LayerId>;
  /** Forgotten ones, whose intent to remove is still in the folder. */
  readonly #forgotten = new Set<LayerId>();

  private constructor(folder: string, records: readonly LayerRecord[], damaged: readonly LayerId[]) {
    this.#folder = folder;
    this.#damaged = new Set(damaged);
    for (const record of records) this.#records.set(record.id, record);
  }

  static async open(folder: string): Promise<LayerRecords> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await removeTemporaries(folder);
    const records: LayerRecord[] = [];
    const damaged: LayerId[] = [];
    const names = new Set(await readdir(folder));
    for (const name of names) {
      const path = join(folder, name);
      if (name.endsWith('.json.damaged')) damaged.push(name.slice(0, -'.json.damaged'.length));
      const [, id, creating, transient, removing] =
        /^(.+)\.json(?:(\.creating)|(\.transient)?(\.removing)?)$/.exec(name) ?? [];
      if (id === undefined) continue;
      const record = await readRecord(path);
      const isDone = creating && doneEndings.some((ending) => names.has(`${id}.json${ending}`));
      if (isDone || ((creating || transient) && record?.id !== id)) {
        rmSync(path);
        continue;
      }
      if (record?.id === id) {
        const state = removing ? 'removing' : transient ? 'ready' : record.state;
        records.push({ ...record, state });
        continue;
      }
      await rename(path, join(folder, `${id}.json.damaged`));
      damaged.push(id);
    }
    return new LayerRecords(folder, records, damaged);
  }

  /** Layers whose records could not be read, now or at an earlier start; the files were set aside. */
  get damaged(): readonly LayerId[] {
    return [...this.#damaged];
  }

  get(id: LayerId): LayerRecord | undefined {
    return this.#records.get(id);
  }

  all(): readonly LayerRecord[] {
    return [...this.#records.values()];
  }

  children(id: LayerId): readonly LayerRecord[] {
    return this.all().filter(({ parent }) => parent === id);
  }

  /** The layer and its ancestors, topmost first; shorter than its depth where a record is missing. */
  chain(record: LayerRecord): readonly [LayerRecord, ...LayerRecord[]] {
    const ancestors: LayerRecord[] = [];
    let parent = record.parent === undefined ? undefined : this.#records.get(record.parent);
    while (parent) {
      ancestors.push(parent);
      parent = parent.parent === undefined ? undefined : this.#records.get(parent.parent);
    }
    return [record, ...ancestors];
  }

  /** Seen by the next call at once, written when the promise is kept; as before when it is not. */
  async put(record: LayerRecord): Promise<void> {
    if (this.#forgotten.has(record.id)) await this.delete(record.id);
    const before = this.#records.get(record.id);
    this.#records.set(record.id, record);
    try {
      await this.#write(record);
    } catch (error) {
      if (before) this.#records.set(record.id, before);
      else this.#records.delete(record.id);
      throw error;
    }
  }

  /** The intent to remove, as a new name for the record: on a full disk there is room for that, and not for a new file. */
  async markRemoving(record: LayerRecord): Promise<void> {
    this.#records.set(record.id, { ...record, state: 'removing' });
    renameSync(this.#path(record), `${this.#path(record)}.removing`);
    if (this.flushesIntents) await syncFolder(this.#folder);
  }

  /** It is no layer any more; its intent to remove stays until it is deleted, and the next start would finish the removal. */
  forget(id: LayerId): void {
    this.#records.delete(id);
    this.#forgotten.add(id);
  }

  async delete(id: LayerId): Promise<void> {
    this.#forgotten.delete(id);
    for (const ending of [...doneEndings, '.creating', '.damaged'])
      rmSync(this.#path({ id }) + ending, { force: true });
    if (this.flushesIntents) await syncFolder(this.#folder);
    this.#records.delete(id);
    this.#damaged.delete(id);
  }

  async #write(record: LayerRecord): Promise<void> {
    const path = this.#path(record);
    const intent = `${this.#path({ id: record.id })}.creating`;
    if (record.state === 'creating') {
      if (this.flushesIntents) await writeFileAtomic(intent, jsonText(record));
      else writeFileSync(intent, jsonText(record), { mode: 0o600 });
      return;
    }
    if (record.transient) {
      renameSync(intent, path);
      if (this.flushesIntents) await syncFolder(this.#folder);
      return;
    }
    await writeFileAtomic(path, jsonText(record), { durable: this.flushesIntents || 'content' });
    rmSync(intent, { force: true });
  }

  #path({ id, transient }: Pick<LayerRecord, 'id' | 'transient'>): string {
    return join(this.#folder, `${id}.json${transient ? '.transient' : ''}`);
  }
}

/** Of all that an intent to make it has become. */
const doneEndings = ['', '.removing', '.transient', '.transient.removing'];

async function readRecord(path: string): Promise<LayerRecord | undefined> {
  try {
    const value = await readJson(path);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is LayerRecord {
  if (value === null || typeof value !== 'object') return false;
  const fields = value as Partial<Record<keyof LayerRecord, unknown>>;
  return (
    fields.version === 1 &&
    typeof fields.id === 'string' &&
    (fields.parent === undefined || typeof fields.parent === 'string') &&
    (fields.state === 'creating' || fields.state === 'ready' || fields.state === 'removing') &&
    typeof fields.key === 'string' &&
    typeof fields.depth === 'number' &&
    (fields.transient === undefined || fields.transient === true) &&
    (fields.size === undefined || typeof fields.size === 'number') &&
    (fields.transaction === undefined || typeof fields.transaction === 'number')
  );
}
