import { HullError } from '../../base/errors.ts';
import type { ByteString } from '../../images/tar-header.ts';
import { walkTree } from '../../images/tar-writing/walk.ts';
import { joinChecksums } from './entry-checksum.ts';
import { goPattern, hasWildcards } from './go-match.ts';
import type { SourceTree } from './source-tree.ts';

/** One file or folder to copy. */
export interface Source {
  readonly tree: SourceTree;
  /** As it was named; a link in the last place is followed where it is read. */
  readonly path: ByteString;
  readonly checksum: string;
  /** An archive is copied as it is, also by ADD (it was downloaded). */
  readonly staysPacked: boolean;
}

/**
 * What a word of COPY or ADD names in a tree; several files where it has wildcards. Errors are Docker's, without `COPY failed: `.
 * Kinds `not-found`, `invalid`.
 */
export async function findSources(
  tree: SourceTree,
  word: string,
  isContext: boolean,
): Promise<readonly Source[]> {
  if (isContext && leadsOut(word)) {
    throw new HullError(`forbidden path outside the build context: ${word} ()`, { kind: 'invalid' });
  }
  const path = Buffer.from(word, 'utf8').toString('latin1').replace(/^\//, '').replace(/^\.\//, '');
  if (!hasWildcards(path)) return [await sourceAt(tree, path, isContext)];
  const pattern = goPattern(word.replace(/^\//, '').replace(/^\.\//, ''), { doubleStar: false });
  const found: Source[] = [];
  for await (const entry of walkTree(tree.root)) {
    const name = Buffer.from(entry.path, 'latin1').toString('utf8');
    if (pattern.test(name)) found.push(await sourceAt(tree, entry.path, isContext));
  }
  return found;
}

/** What the history and the cache know the sources by. */
export function checksumOf(sources: readonly Source[]): string {
  const [only, ...others] = sources;
  if (only && others.length === 0) return only.checksum;
  return joinChecksums(
    'multi',
    sources.map(({ checksum }) => checksum),
  );
}

async function sourceAt(tree: SourceTree, path: ByteString, isContext: boolean): Promise<Source> {
  using file = tree.find(path);
  if (!file) {
    const name = Buffer.from(path, 'latin1').toString('utf8');
    const where = isContext ? 'file not found in build context or excluded by .dockerignore: ' : '';
    throw new HullError(`${where}stat ${name}: file does not exist`, { kind: 'not-found' });
  }
  const source = { tree, path, staysPacked: false };
  if (!file.stat.isDirectory()) return { ...source, checksum: `file:${await tree.checksum(file)}` };
  const sums: string[] = [];
  for await (const entry of tree.entriesOf(file)) {
    if (entry.path !== '') sums.push(await tree.checksum(entry));
  }
  return { ...source, checksum: joinChecksums('dir', sums.sort()) };
}

function leadsOut(word: string): boolean {
  let depth = 0;
  for (const part of word.split('/')) {
    if (part === '..') depth--;
    else if (part !== '' && part !== '.') depth++;
    if (depth < 0) return true;
  }
  return false;
}
