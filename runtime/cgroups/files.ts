import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { codeOf } from '../base/errors.ts';

// Files of cgroups are answered from memory in microseconds, less than a trip through the thread pool takes, and a group is a
// hundred of them: they are read and written at once. Only limits may make the kernel work first.

/** Writes one value in one write(2), without O_CREAT: a missing file is ENOENT, never a new plain file. */
export function writeValue(path: string, value: string): void {
  const file = openSync(path, constants.O_WRONLY);
  try {
    writeSync(file, value);
  } finally {
    closeSync(file);
  }
}

/** As `writeValue`, for a limit: the kernel may reclaim memory before it answers. */
export async function writeLimit(path: string, value: string): Promise<void> {
  const file = await open(path, constants.O_WRONLY);
  try {
    await file.write(value);
  } finally {
    await file.close();
  }
}

/** The trimmed content; undefined where the file or its group is gone. */
export function readValue(path: string): string | undefined {
  return ifGone(() => readFileSync(path, 'utf8').trim());
}

/** `oom_kill` of `memory.events`: a file of `key value` lines. */
export function readField(path: string, key: string): number | undefined {
  const line = readValue(path)
    ?.split('\n')
    .find((each) => each.startsWith(`${key} `));
  return line === undefined ? undefined : Number(line.slice(key.length + 1));
}

/** Undefined where the group is gone; one that is removed while its file is open answers ENODEV. */
export function ifGone<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (codeOf(error) === 'ENODEV' || codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
