import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Where guests, kernels and templates live between runs: `$SEATRIAL_CACHE`, else `seatrial` under the user's cache folder. */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  return env['SEATRIAL_CACHE'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'seatrial');
}

/** A short name for everything that a cached thing depends on. */
export function cacheKey(inputs: unknown): string {
  return createHash('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 16);
}

/**
 * The cached folder `path`, built when it is not there: `build` fills a folder beside it, which is renamed as its last
 * step. So a folder that exists is whole, and an interrupted build leaves only the temporary one.
 */
export async function buildFolder(path: string, build: (folder: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  try {
    await build(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** The parsed file, or undefined where there is none or it is damaged: a cache entry that cannot be read is not there. */
export async function readCached<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

export async function writeCached(path: string, value: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, `${JSON.stringify(value, undefined, 2)}\n`);
  await rename(temporary, path);
}
