import { lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTemporaries, syncPath, writeJsonAtomic } from '../base/atomic-file.ts';
import { DoSoon } from '../base/do-soon.ts';
import { codeOf } from '../base/errors.ts';
import { isSmallTree } from '../base/small-tree.ts';
import { isFull, Reserve } from '../images/reserve.ts';
import { FlushSoon } from './flush-soon.ts';
import { type ContainerRecord, isTransient } from './record.ts';
import {
  keepToFallBackOn,
  markRemoving,
  putIntent,
  putRecord,
  readRecord,
  recordFiles,
  recordName,
  replaceRecord,
  type StoredContainer,
  unlinkFile,
} from './record-files.ts';

/**
 * The folders `<root>/<container id>/` with the record (record-files.ts) and the log.
 *
 * Whatever is written counts at once for the next daemon, however this one ends. `finish` and `write` flush it as well: it outlasts a power
 * cut. What `writeSoon` and `remove` did is flushed in the moment after; a power cut before that finds the container as it was. Of a transient
 * container nothing is ever flushed.
 */
export class RecordStore {
  readonly root: string;
  readonly #reserve: Reserve;
  readonly #soon: FlushSoon;
  /** `<root>.removing`, with the folders of removed containers that are not gone yet. */
  readonly #removing: string;
  readonly #rests: DoSoon;
  /** Ids of those whose record is known to be whole. */
  readonly #whole = new Set<string>();
  /** Of those that have a mark, or a record to fall back on. */
  readonly #marked = new Set<string>();
  readonly #withFallBack = new Set<string>();

  /** @param flushFailed is told of what could not be flushed in the moment after */
  constructor(root: string, flushFailed: (path: string, error: unknown) => void = () => undefined) {
    this.root = root;
    this.#reserve = new Reserve(`${root}.reserve`);
    this.#soon = new FlushSoon(flushFailed);
    this.#removing = `${root}.removing`;
    this.#rests = new DoSoon(flushFailed);
  }

  folder(id: string): string {
    return join(this.root, id);
  }

  /**
   * Afterwards the intent to make a container with this record is there: a start that finds it undoes what was made. The answer is its
   * flush, which has to be over before `finish`.
   */
  async begin(record: ContainerRecord): Promise<void> {
    const folder = this.folder(record.id);
    mkdirSync(folder, { recursive: true, mode: 0o710 });
    putIntent(folder, record);
    if (!isTransient(record)) await syncPath(join(folder, recordFiles.creating));
  }

  /** Afterwards the container is made, on the disk too. */
  async finish(record: ContainerRecord): Promise<void> {
    const folder = this.folder(record.id);
    renameSync(join(folder, recordFiles.creating), join(folder, recordFiles[recordName(record)]));
    this.#whole.add(record.id);
    if (isTransient(record)) return;
    await Promise.all([syncPath(folder), syncPath(this.root)]);
  }

  /** Afterwards the record is on the disk as a whole, its folder made where it was missing. */
  async write(record: ContainerRecord): Promise<void> {
    if (this.#marksRemoval(record) || this.#writesTransient(record)) return;
    const { id } = record;
    const folder = this.folder(id);
    const path = join(folder, recordFiles.record);
    const made = mkdirSync(folder, { recursive: true, mode: 0o710 });
    await writeJsonAtomic(path, record);
    this.#soon.forget(path);
    this.#dropFallBack(id);
    this.#counts(id);
    if (made !== undefined) await syncPath(this.root);
  }

  /** The same with the flush left for the moment after. */
  writeSoon(record: ContainerRecord): void {
    if (this.#marksRemoval(record) || this.#writesTransient(record)) return;
    const { id } = record;
    const folder = this.folder(id);
    const path = join(folder, recordFiles.record);
    if (this.#whole.has(id)) {
      if (!this.#withFallBack.has(id)) keepToFallBackOn(folder);
      this.#withFallBack.add(id);
      replaceRecord(folder, record);
    } else {
      mkdirSync(folder, { recursive: true, mode: 0o710 });
      putRecord(folder, 'record', record);
    }
    this.#counts(id);
    this.#soon.add(path, () => this.#dropFallBack(id));
  }

  /** Writes with the reserve given up where the disk is full; where even that is no help, the old record stays. */
  async writeIfRoom(record: ContainerRecord, { soon }: { readonly soon: boolean }): Promise<void> {
    try {
      await this.#reserve.spend(async () => {
        if (soon) this.writeSoon(record);
        else await this.write(record);
      });
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }

  /** Every container folder there is, in no order. A damaged record is an answer, not an error. */
  async readAll(): Promise<readonly StoredContainer[]> {
    await mkdir(this.root, { recursive: true, mode: 0o710 });
    await this.#clearRemoving();
    await this.#reserve.fill();
    const ids = (await readdir(this.root)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    return await Promise.all(ids.map((id) => this.#read(id)));
  }

  /** Afterwards the container's folder is absent; what is small of it is removed in the moment after. */
  async remove(id: string, { transient = false }: { readonly transient?: boolean } = {}): Promise<void> {
    const folder = this.folder(id);
    this.#soon.forget(join(folder, recordFiles.record));
    this.#whole.delete(id);
    this.#marked.delete(id);
    this.#withFallBack.delete(id);
    try {
      if (!isSmallTree(folder) || !this.#moveAside(id)) await removeFiles(folder);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    if (!transient) this.#soon.add(this.root);
  }

  /** Afterwards all that was written is on the disk. */
  async flush(): Promise<void> {
    await this.#rests.finish();
    await this.#soon.flush();
  }

  async #read(id: string): Promise<StoredContainer> {
    const folder = this.folder(id);
    // What a daemon left that was killed while it wrote.
    await removeTemporaries(folder);
    const names = new Set(await readdir(folder));
    const found = await readRecord(folder, id, names);
    if (!('record' in found) || found.record.state.kind === 'creating') return found;
    this.#whole.add(id);
    if (recordFiles.removing.some((name) => names.has(name))) this.#marked.add(id);
    if (names.has(recordFiles.fallBack)) {
      this.#withFallBack.add(id);
      this.#soon.add(join(folder, recordFiles.record), () => this.#dropFallBack(id));
    }
    return found;
  }

  /** The record stays as it is for what has a whole one: only a mark is set, for which there is room on a full disk too. */
  #marksRemoval({ id, state }: ContainerRecord): boolean {
    if (state.kind !== 'removing' || !this.#whole.has(id)) return false;
    markRemoving(this.folder(id), state.volumes === true);
    this.#marked.add(id);
    return true;
  }

  #writesTransient(record: ContainerRecord): boolean {
    if (!isTransient(record)) return false;
    if (this.#whole.has(record.id)) replaceRecord(this.folder(record.id), record);
    else {
      mkdirSync(this.folder(record.id), { recursive: true, mode: 0o710 });
      putRecord(this.folder(record.id), 'transient', record);
    }
    this.#counts(record.id);
    return true;
  }

  /** What a killed daemon had moved aside goes. Where there is no room for the folder, removals do without it. */
  async #clearRemoving(): Promise<void> {
    try {
      await mkdir(this.#removing, { recursive: true, mode: 0o700 });
    } catch (error) {
      if (isFull(error)) return;
      throw error;
    }
    for (const name of await readdir(this.#removing)) {
      await rm(join(this.#removing, name), { recursive: true, force: true });
    }
  }

  /** False where there is no room for that. */
  #moveAside(id: string): boolean {
    const goner = join(this.#removing, id);
    try {
      renameSync(this.folder(id), goner);
    } catch {
      return false;
    }
    this.#rests.add(goner, () => rmSync(goner, { recursive: true, force: true }));
    return true;
  }

  #dropFallBack(id: string): void {
    if (this.#withFallBack.delete(id)) unlinkFile(this.folder(id), recordFiles.fallBack);
  }

  /** The record that was written is what counts. */
  #counts(id: string): void {
    this.#whole.add(id);
    if (!this.#marked.delete(id)) return;
    for (const name of recordFiles.removing) unlinkFile(this.folder(id), name);
  }
}

const largeFile = 4 * 1024 * 1024;

async function removeFiles(folder: string): Promise<void> {
  for (const name of lastThingsLast(readdirSync(folder))) {
    const path = join(folder, name);
    // A log may be large, and then it takes the kernel a while.
    if (lstatSync(path).size > largeFile) await rm(path, { force: true });
    else rmSync(path, { recursive: true, force: true });
  }
  rmdirSync(folder);
}

/** The record, and what says that it is being removed after it: a removal that is cut off leaves something that can be removed. */
function lastThingsLast(names: readonly string[]): readonly string[] {
  const last: readonly string[] = [recordFiles.record, recordFiles.transient, ...recordFiles.removing];
  return names.toSorted((a, b) => last.indexOf(a) - last.indexOf(b));
}
