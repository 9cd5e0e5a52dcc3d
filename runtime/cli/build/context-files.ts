import type { Dockerignore } from '../../build/context/dockerignore.ts';
import type { ByteString } from '../../images/tar-header.ts';
import { textEntry } from '../../images/tar-writing/plain-entries.ts';
import { EntryMaker } from '../../images/tar-writing/tree-entry.ts';
import { TreeFolder } from '../../images/tar-writing/tree-folder.ts';
import { type TarSource, writeTar } from '../../images/tar-writing/write-tar.ts';

export interface ContextFiles {
  readonly folder: string;
  readonly ignore: Dockerignore;
  /** Sent though they are ignored: the daemon needs them, and takes them away again. */
  readonly needed: readonly string[];
  /** Files that are not in the folder, or take the place of one, with their text. */
  readonly added: ReadonlyMap<string, string>;
}

/** The folder as the archive that a build begins with: without what is ignored, all of it root's. */
export function archiveContext(files: ContextFiles): AsyncGenerator<Uint8Array, void, undefined> {
  return writeTar(entriesOf(files));
}

async function* entriesOf(files: ContextFiles): AsyncGenerator<TarSource, void, undefined> {
  using root = TreeFolder.root(files.folder);
  yield* below(root, '', files, new EntryMaker());
  for (const [name, text] of files.added) yield textEntry(Buffer.from(name, 'utf8').toString('latin1'), text);
}

async function* below(
  folder: TreeFolder,
  above: ByteString,
  files: ContextFiles,
  entries: EntryMaker,
): AsyncGenerator<TarSource, void, undefined> {
  for (const name of folder.names()) {
    const path = above === '' ? name : `${above}/${name}`;
    const text = Buffer.from(path, 'latin1').toString('utf8');
    const stat = folder.stat(name);
    // A socket cannot be sent, and is of no use in an image.
    if (!stat || stat.isSocket() || files.added.has(text)) continue;
    const isOut = files.ignore.leavesOut(text) && !files.needed.includes(text);
    if (!isOut) yield asRoots(entries.make({ path, folder, name, stat }));
    if (!stat.isDirectory() || (isOut && !mayHoldKept(text, files))) continue;
    using inner = folder.enter(name);
    if (inner) yield* below(inner, path, files, entries);
  }
}

const mayHoldKept = (path: string, { ignore, needed }: ContextFiles): boolean =>
  ignore.keepsSome || needed.some((name) => name.startsWith(`${path}/`));

/** What differs from machine to machine says nothing about the image: the cache looks at it. */
function asRoots({ header, body }: TarSource): TarSource {
  const kept = [...header.xattrs].filter(([name]) => name === 'security.capability');
  return { header: { ...header, uid: 0, gid: 0, xattrs: new Map(kept) }, ...(body && { body }) };
}
