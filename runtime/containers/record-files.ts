import { closeSync, linkSync, openSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonText, readJson, replaceFile, temporaryOf } from '../base/atomic-file.ts';
import { codeOf, HullError } from '../base/errors.ts';
import { exchangeNames } from '../sys/exchange-names.ts';
import { type ContainerRecord, type ContainerState, isTransient, lastRun, type Run } from './record.ts';

export type StoredContainer =
  | { readonly id: string; readonly record: ContainerRecord }
  /** The record is there and does not parse. */
  | { readonly id: string; readonly damage: string }
  /** A folder without a record: a crash came before the first write, or in the middle of the removal. */
  | { readonly id: string; readonly unborn: true };

/**
 * The files of a container's folder that say what it is. An intent is a name alone (a renamed file, an empty one): file systems with a
 * journal keep names in the order they were made, so that after a power cut an intent is there if anything is that was done for it.
 */
export const recordFiles = {
  /** The record, as it is now. */
  record: 'container.json',
  /** The record of a transient container, never flushed: what a power cut leaves of it is as good as nothing. */
  transient: 'transient.json',
  /** The record that the container will have: it is being made. */
  creating: 'creating.json',
  /** The last record that was flushed, as long as the newer one is not: a power cut may leave that one empty. */
  fallBack: 'container.flushed.json',
  /** It is being removed; with the second one, its nameless volumes too. */
  removing: ['removing', 'removing-volumes'],
} as const;

/** The name that the record has when the container is made. */
export const recordName = (record: ContainerRecord): 'record' | 'transient' =>
  isTransient(record) ? 'transient' : 'record';

/** Afterwards the record that the container will have is there, and not flushed. What was cut off while it was written is as good as none. */
export function putIntent(folder: string, record: ContainerRecord): void {
  writeFileSync(join(folder, recordFiles.creating), jsonText(record), { mode: 0o600 });
}

/** Afterwards the record is there as a whole, and not flushed. */
export function putRecord(folder: string, name: 'record' | 'transient', record: ContainerRecord): void {
  replaceFile(join(folder, recordFiles[name]), jsonText(record));
}

/**
 * The same where there is one. The names are exchanged: a rename onto a file makes ext4 write the new one out at once (`auto_da_alloc`) and
 * wait for it when that is replaced in turn, where most of these records are gone before anybody needs them on the disk.
 */
export function replaceRecord(folder: string, record: ContainerRecord): void {
  const path = join(folder, recordFiles[recordName(record)]);
  const beside = temporaryOf(path);
  try {
    writeFileSync(beside, jsonText(record), { flag: 'wx', mode: 0o600 });
    if (exchangeNames(beside, path)) unlinkSync(beside);
    else renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

/** Afterwards the record that is there stays to fall back on; one that is kept so already is older, and sure. */
export function keepToFallBackOn(folder: string): void {
  const kept = join(folder, recordFiles.fallBack);
  ignoring('EEXIST', () => linkSync(join(folder, recordFiles.record), kept));
}

/** Afterwards it says of itself that it is being removed. */
export function markRemoving(folder: string, withVolumes: boolean): void {
  const [plain, volumes] = recordFiles.removing;
  ignoring('EEXIST', () => closeSync(openSync(join(folder, withVolumes ? volumes : plain), 'wx', 0o600)));
}

export function unlinkFile(folder: string, name: string): void {
  ignoring('ENOENT', () => unlinkSync(join(folder, name)));
}

/** What a container's folder says, `names` being what is in it. */
export async function readRecord(
  folder: string,
  id: string,
  names: ReadonlySet<string>,
): Promise<StoredContainer> {
  if (names.has(recordFiles.transient)) {
    const found = await readOne(folder, recordFiles.transient, id);
    return 'record' in found ? { id, record: withMark(found.record, names) } : { id, unborn: true };
  }
  if (!names.has(recordFiles.record)) {
    const record = await readOne(folder, recordFiles.creating, id);
    // One that a power cut has emptied is as good as none: nobody was told of the container.
    return 'record' in record
      ? { id, record: { ...record.record, state: { kind: 'creating' } } }
      : { id, unborn: true };
  }
  let found = await readOne(folder, recordFiles.record, id);
  if ('damage' in found && names.has(recordFiles.fallBack)) {
    const flushed = await readOne(folder, recordFiles.fallBack, id);
    if ('record' in flushed) {
      renameSync(join(folder, recordFiles.fallBack), join(folder, recordFiles.record));
      found = flushed;
    }
  }
  return 'record' in found ? { id, record: withMark(found.record, names) } : found;
}

/** What a mark makes of the record's state. */
function withMark(record: ContainerRecord, names: ReadonlySet<string>): ContainerRecord {
  const [plain, volumes] = recordFiles.removing;
  if (!names.has(plain) && !names.has(volumes)) return record;
  const last = lastRun(record.state);
  const state: ContainerState = {
    kind: 'removing',
    volumes: names.has(volumes),
    ...(last && { last: outlineOf(last) }),
  };
  return { ...record, state };
}

const outlineOf = ({ exitCode, startedAt, finishedAt, oomKilled }: Run): Run => ({
  exitCode,
  startedAt,
  finishedAt,
  oomKilled,
});

async function readOne(folder: string, name: string, id: string): Promise<StoredContainer> {
  try {
    const value = await readJson(join(folder, name));
    if (value === undefined) return { id, unborn: true };
    return isRecord(value, id)
      ? { id, record: value }
      : { id, damage: `its ${name} is not a container record of format 1` };
  } catch (error) {
    if (error instanceof HullError) return { id, damage: error.message };
    throw error;
  }
}

function ignoring(code: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (codeOf(error) !== code) throw error;
  }
}

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
