import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HullError, ifExists } from './errors.ts';

export interface AtomicWriteOptions {
  readonly mode?: number;
  /** Flush file and folder to the disk before returning. Off for what lives on a tmpfs. Default true. */
  readonly durable?: boolean;
}

/**
 * Replaces a file as a whole: a reader, and a start after a power cut, sees the old content or the new one and
 * never a part. Written beside the target as `.<name>.<random>.tmp`, flushed, renamed, folder flushed.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  { mode = 0o600, durable = true }: AtomicWriteOptions = {},
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(data);
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (durable) await syncFolder(dirname(path));
}

/** Removes what writes that a crash interrupted have left in a folder; answers their names. Only while nobody writes there. */
export async function removeTemporaries(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => /^\..+\.[0-9a-f]{12}\.tmp$/.test(name));
  for (const name of names) await rm(join(folder, name), { force: true });
  return names;
}

/** Flushes a folder's entries: a file renamed into it is there after a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export async function writeJsonAtomic(
  path: string,
  value: unknown,
  options?: AtomicWriteOptions,
): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, undefined, 2)}\n`, options);
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
