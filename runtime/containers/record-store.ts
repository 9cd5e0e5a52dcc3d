import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson, removeTemporaries, syncFolder, writeJsonAtomic } from '../base/atomic-file.ts';
import { HullError } from '../base/errors.ts';
import { isFull, Reserve } from '../images/reserve.ts';
import type { ContainerRecord } from './record.ts';

export type StoredContainer =
  | { readonly id: string; readonly record: ContainerRecord }
  /** The record is there and does not parse. */
  | { readonly id: string; readonly damage: string }
  /** A folder without a record: a crash came before the first write, or in the middle of the removal. */
  | { readonly id: string; readonly unborn: true };

/** The folders `<root>/<container id>/` with `container.json` and the log. */
export class RecordStore {
  readonly root: string;
  readonly #reserve: Reserve;

  constructor(root: string) {
    this.root = root;
    this.#reserve = new Reserve(`${root}.reserve`);
  }

  folder(id: string): string {
    return join(this.root, id);
  }

  /** Afterwards the record is on the disk as a whole, its folder made where it was missing. */
  async write(record: ContainerRecord): Promise<void> {
    if (await mkdir(this.folder(record.id), { recursive: true, mode: 0o710 })) await syncFolder(this.root);
    await writeJsonAtomic(join(this.folder(record.id), fileName), record);
  }

  /** The same with the reserve given up where the disk is full; where even that is no help, the old record stays. */
  async writeIfRoom(record: ContainerRecord): Promise<void> {
    try {
      await this.#reserve.spend(() => this.write(record));
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }

  /** Every container folder there is, in no order. A damaged record is an answer, not an error. */
  async readAll(): Promise<readonly StoredContainer[]> {
    await mkdir(this.root, { recursive: true, mode: 0o710 });
    await this.#reserve.fill();
    const ids = (await readdir(this.root)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    return await Promise.all(ids.map((id) => this.#read(id)));
  }

  /** Afterwards the container's folder is absent. */
  async remove(id: string): Promise<void> {
    await rm(this.folder(id), { recursive: true, force: true });
    await syncFolder(this.root);
  }

  async #read(id: string): Promise<StoredContainer> {
    try {
      // What a daemon left that was killed while it wrote.
      await removeTemporaries(this.folder(id));
      const value = await readJson(join(this.folder(id), fileName));
      if (value === undefined) return { id, unborn: true };
      return isRecord(value, id)
        ? { id, record: value }
        : { id, damage: `its ${fileName} is not a container record of format 1` };
    } catch (error) {
      if (error instanceof HullError) return { id, damage: error.message };
      throw error;
    }
  }
}

const fileName = 'container.json';

/** The file is only ever written whole and by hull, so its outline is enough to tell damage. */
function isRecord(value: unknown, id: string): value is ContainerRecord {
  if (typeof value !== 'object' || value === null) return false;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const parts = [fields['image'], fields['config'], fields['state']];
  return (
    fields['format'] === 1 &&
    fields['id'] === id &&
    typeof fields['name'] === 'string' &&
    typeof fields['createdAt'] === 'string' &&
    Array.isArray(fields['mounts']) &&
    parts.every((part) => typeof part === 'object' && part !== null) &&
    typeof Object(fields['state']).kind === 'string'
  );
}
