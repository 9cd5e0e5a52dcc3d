import { randomBytes } from 'node:crypto';
import { closeSync, fsync as fsyncWithCallback, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { HullError, ifExists } from './errors.ts';

export interface AtomicWriteOptions {
  readonly mode?: number;
  /**
   * Flush file and folder to the disk before returning. Off for what lives on a tmpfs; `content` leaves out the folder, whose entry
   * follows with the next flush of its file system: until then a power cut finds the old file. Default true.
   */
  readonly durable?: boolean | 'content';
}

// What is written is small and lands in memory: at once it takes microseconds, through the thread pool half a millisecond.
// Only a flush waits for the disk, and does it there.
const fsync = promisify(fsyncWithCallback);

/**
 * Replaces a file as a whole: a reader, and a start after a power cut, sees the old content or the new one and
 * never a part. Written beside the target as `.<name>.<random>.tmp`, flushed, renamed, folder flushed.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  { mode = 0o600, durable = true }: AtomicWriteOptions = {},
): Promise<void> {
  if (!durable) return replaceFile(path, data, mode);
  const temporary = temporaryOf(path);
  try {
    const file = openSync(temporary, 'wx', mode);
    try {
      writeFileSync(file, data);
      await fsync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (durable === true) await syncPath(dirname(path));
}

/** The same without a flush: whole for every reader until the power is cut, and then perhaps empty. */
export function replaceFile(path: string, data: string | Uint8Array, mode = 0o600): void {
  const temporary = temporaryOf(path);
  try {
    writeFileSync(temporary, data, { flag: 'wx', mode });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** A name beside the target's, for what is to take its place; `removeTemporaries` knows it. */
export function temporaryOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
}

/** Removes what writes that a crash interrupted have left in a folder; answers their names. Only while nobody writes there. */
export async function removeTemporaries(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => /^\..+\.[0-9a-f]{12}\.tmp$/.test(name));
  for (const name of names) await rm(join(folder, name), { force: true });
  return names;
}

/** Flushes a file's content, or a folder's entries: a file renamed into it is there after a power cut. */
export async function syncPath(path: string): Promise<void> {
  const file = openSync(path, 'r');
  try {
    await fsync(file);
  } finally {
    closeSync(file);
  }
}

/** By the name of what callers mean. */
export { syncPath as syncFolder };

export async function writeJsonAtomic(
  path: string,
  value: unknown,
  options?: AtomicWriteOptions,
): Promise<void> {
  await writeFileAtomic(path, jsonText(value), options);
}

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** The parsed file, or undefined where there is none. A damaged file is an error of kind `invalid` naming it. */
export async function readJson(path: string): Promise<unknown> {
  const text = await ifExists(readFile(path, 'utf8'));
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    const found = text.length === 0 ? 'an empty file' : `${text.length} characters that do not parse`;
    throw new HullError(`Cannot read ${JSON.stringify(path)}: found ${found}, wanted JSON`, {
      kind: 'invalid',
      cause,
    });
  }
}
