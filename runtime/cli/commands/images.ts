import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { HullError } from '../../base/errors.ts';
import { getJson, getStream } from '../api-client.ts';
import { imageTree } from '../image-tree.ts';

/** Prints all images as a tree of parents and children. */
export async function imagesCommand(socketPath: string): Promise<void> {
  const lines = imageTree(await getJson(socketPath, '/images/json?all=1'));
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

export interface SaveFlags {
  readonly host: string;
  readonly output?: string;
  readonly format: string;
}

/** Writes images as an archive to a file or to standard output. */
export async function saveCommand(
  names: readonly string[],
  { host, output, format }: SaveFlags,
): Promise<void> {
  if (output === undefined && process.stdout.isTTY) {
    throw new HullError('Cannot save to a terminal: wanted a file (-o) or a pipe', { kind: 'invalid' });
  }
  const query = new URLSearchParams({ format });
  for (const name of names) query.append('names', name);
  const archive = await getStream(host, `/images/get?${query}`);
  if (output === undefined) return await pipeline(archive, process.stdout);
  try {
    await pipeline(archive, createWriteStream(output, { mode: 0o600 }));
  } catch (error) {
    await rm(output, { force: true });
    throw error;
  }
}
