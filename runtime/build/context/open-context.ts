import type { Hash } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Cleanup } from '../../base/cleanup.ts';
import { insideRoot } from '../../images/root-paths.ts';
import type { ByteString } from '../../images/tar-header.ts';
import type { TarEntry } from '../../images/tar-reader.ts';
import { untarInto } from '../../images/untar-into.ts';
import { beginChecksum } from '../copy/entry-checksum.ts';
import { SourceTree } from '../copy/source-tree.ts';

/** A folder of this build alone: the context, and what is downloaded. Gone when disposed. */
export interface Workplace extends AsyncDisposable {
  readonly context: SourceTree;
  /** Makes a folder for something further. */
  newFolder(): Promise<string>;
}

/** Unpacks the context that a client sends, compressed or not. Kind `invalid` for what is no archive, or leads out of its root. */
export async function openWorkplace(
  buildRoot: string,
  archive: AsyncIterable<Uint8Array>,
): Promise<Workplace> {
  await mkdir(buildRoot, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(buildRoot, 'build-'));
  await using undo = new Cleanup();
  undo.push(() => rm(folder, { recursive: true, force: true }));
  const root = join(folder, 'context');
  await mkdir(root);
  const hashes = new Map<ByteString, Hash>();
  const through = (entry: TarEntry): TarEntry => {
    const hash = beginChecksum(entry);
    hashes.set(insideRoot(entry.name, 'entry'), hash);
    return { ...entry, body: () => heard(entry.body(), hash) };
  };
  await untarInto(archive, root, '', { keepKind: false, through, mayLackEnd: true });
  const sums = new Map([...hashes].map(([path, hash]) => [path, hash.digest('hex')]));
  undo.commit();
  return {
    context: new SourceTree(root, sums),
    newFolder: () => mkdtemp(join(folder, 'more-')),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function* heard(content: AsyncIterable<Buffer>, hash: Hash): AsyncGenerator<Buffer> {
  for await (const chunk of content) {
    hash.update(chunk);
    yield chunk;
  }
}
