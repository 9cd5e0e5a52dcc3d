import { lstat, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HullError } from '../../base/errors.ts';
import type { SourceTree } from '../copy/source-tree.ts';
import { Dockerignore } from './dockerignore.ts';

const largest = 16 * 1024 * 1024;

/**
 * The Dockerfile's text. It, and `.dockerignore`, are then taken out of the context where `.dockerignore` says so: a client has to send
 * them, but they are no files to copy. Kind `invalid`.
 */
export async function readDockerfile(context: SourceTree, wanted: string): Promise<string> {
  const found =
    findText(context, wanted) ?? (wanted === 'Dockerfile' ? findText(context, 'dockerfile') : undefined);
  if (!found) {
    throw new HullError(`Cannot locate specified Dockerfile: ${wanted}`, { kind: 'invalid' });
  }
  const text = await found.read();
  if (text.trim() === '') {
    throw new HullError(`the Dockerfile (${wanted}) cannot be empty`, { kind: 'invalid' });
  }
  const ignore = await findText(context, '.dockerignore')?.read();
  if (ignore !== undefined) await removeIgnored(context, ignore, ['.dockerignore', found.name]);
  return text;
}

function findText(
  context: SourceTree,
  name: string,
): { readonly name: string; read(): Promise<string> } | undefined {
  using file = context.find(Buffer.from(name, 'utf8').toString('latin1'));
  if (!file) return undefined;
  if (!file.stat.isFile() || file.stat.size > largest) {
    throw new HullError(`Cannot read ${name}: wanted a file of at most ${largest} bytes`, {
      kind: 'invalid',
    });
  }
  // Links were followed inside the context, and nobody changes it meanwhile.
  const path = Buffer.from(`${context.root}/${file.path}`, 'latin1');
  return { name, read: () => readFile(path, 'utf8') };
}

async function removeIgnored(context: SourceTree, text: string, names: readonly string[]): Promise<void> {
  const ignore = new Dockerignore(text);
  for (const name of names) {
    const path = join('/', name).slice(1);
    if (!ignore.leavesOut(path)) continue;
    using file = context.find(Buffer.from(path, 'utf8').toString('latin1'));
    const raw = file && Buffer.from(`${context.root}/${file.path}`, 'latin1');
    if (raw && (await lstat(raw)).isFile()) await rm(raw);
  }
}
