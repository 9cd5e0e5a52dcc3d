import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { codeOf, ifExists } from '../base/errors.ts';

/** Writes one value in one write(2), without O_CREAT: a missing file is ENOENT, never a new plain file. */
export async function writeValue(path: string, value: string): Promise<void> {
  const file = await open(path, constants.O_WRONLY);
  try {
    await file.write(value);
  } finally {
    await file.close();
  }
}

/** The trimmed content; undefined where the file or its group is gone. */
export async function readValue(path: string): Promise<string | undefined> {
  const text = await ifGone(ifExists(readFile(path, 'utf8')));
  return text?.trim();
}

/** `oom_kill` of `memory.events`: a file of `key value` lines. */
export async function readField(path: string, key: string): Promise<number | undefined> {
  const line = (await readValue(path))?.split('\n').find((each) => each.startsWith(`${key} `));
  return line === undefined ? undefined : Number(line.slice(key.length + 1));
}

/** A group that is removed while one of its files is open answers ENODEV. */
export async function ifGone<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action;
  } catch (error) {
    if (codeOf(error) === 'ENODEV' || codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
