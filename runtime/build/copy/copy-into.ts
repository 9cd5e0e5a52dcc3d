import { HullError } from '../../base/errors.ts';
import { decompress } from '../../images/decompress.ts';
import { LayerWriter } from '../../images/layer-writer.ts';
import { join } from '../../images/root-paths.ts';
import { type ByteString, timeOf } from '../../images/tar-header.ts';
import { readTar, type TarEntry } from '../../images/tar-reader.ts';
import type { FoundFile } from '../../images/tar-writing/resolve.ts';
import { EntryMaker, type TreeEntry } from '../../images/tar-writing/tree-entry.ts';
import type { TarSource } from '../../images/tar-writing/write-tar.ts';
import { untarInto } from '../../images/untar-into.ts';
import { resolveDestination } from './destination.ts';
import type { Source } from './find-sources.ts';

export interface CopyOptions {
  /** Whose the copies are; undefined: they stay whose they are. */
  readonly owner: Owner | undefined;
  /** Permissions of all copies but links; undefined: their own. */
  readonly mode: number | undefined;
  /** Archives are unpacked (ADD). */
  readonly unpacks: boolean;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Copies into a tree by Docker's rules: a folder's content goes into the destination, a file becomes it, or goes into it where it is a folder
 * or ends in a slash. Folders on the way are made, 0755. Links in the tree lead inside it. Kind `invalid`, with the file's name.
 */
export async function copyInto(
  root: string,
  sources: readonly Source[],
  destination: ByteString,
  options: CopyOptions,
): Promise<void> {
  for (const source of sources) {
    using file = source.tree.find(source.path);
    if (!file) throw new HullError(`source path not found: ${showPath(source.path)}`, { kind: 'not-found' });
    if (file.stat.isDirectory()) await copyFolder(root, source, file, destination, options);
    else if (options.unpacks && !source.staysPacked && (await isArchive(file)))
      await unpack(root, file, destination);
    else await copyFile(root, source, file, destination, options);
  }
}

/** Afterwards the folder is there, or what links to nothing on the way lead to; those that were missing are the owner's, 0755. */
export async function makeFolders(root: string, path: ByteString, owner: Owner): Promise<void> {
  const writer = newWriter(root);
  let folder: ByteString = '';
  for (const part of path.split('/').filter((each) => each !== '')) {
    const wanted = join(folder, part);
    const { path: found, kind } = resolveDestination(root, wanted);
    if (kind === 'file') {
      throw new HullError(`cannot create directory ${showPath(`/${wanted}`)}: a file is in its place`, {
        kind: 'invalid',
      });
    }
    if (kind === 'absent' && found !== wanted) await makeFolders(root, found, owner);
    else if (kind === 'absent') await writer.add(newFolder(found, owner));
    folder = found;
  }
  writer.finish();
}

async function copyFolder(
  root: string,
  { tree }: Source,
  file: FoundFile,
  destination: ByteString,
  options: CopyOptions,
): Promise<void> {
  const { path, kind } = resolveDestination(root, destination);
  if (kind === 'file') {
    throw new HullError(`cannot copy to non-directory: ${showPath(`/${path}`)}`, { kind: 'invalid' });
  }
  await makeFolders(root, path, options.owner ?? rootUser);
  const writer = newWriter(root);
  const entries = new EntryMaker();
  const inside = file.path === '' ? 0 : file.path.length + 1;
  const moved = (name: ByteString) => join(path, name.slice(inside));
  for await (const entry of tree.entriesOf(file)) {
    // The folder itself stays what the destination is.
    if (entry.path === file.path) continue;
    await writer.add(dressed(entries.make(entry), moved, options));
  }
  writer.finish();
}

async function copyFile(
  root: string,
  source: Source,
  file: FoundFile,
  destination: ByteString,
  options: CopyOptions,
): Promise<void> {
  const { path, kind } = resolveDestination(root, destination);
  const goesInto = destination.endsWith('/') || kind === 'folder';
  const name = source.path.split('/').findLast((part) => part !== '') ?? '';
  const target = goesInto ? join(path, name) : path;
  await makeFolders(root, target.split('/').slice(0, -1).join('/'), options.owner ?? rootUser);
  const entry: TreeEntry = { path: file.path, folder: file.folder, name: file.name, stat: file.stat };
  const writer = newWriter(root);
  await writer.add(dressed(new EntryMaker().make(entry), () => target, options));
  writer.finish();
}

async function unpack(root: string, file: FoundFile, destination: ByteString): Promise<void> {
  const { path, kind } = resolveDestination(root, destination);
  if (kind === 'file') {
    throw new HullError(`cannot unpack to non-directory: ${showPath(`/${path}`)}`, { kind: 'invalid' });
  }
  await makeFolders(root, path, rootUser);
  await untarInto(contentOf(file), root, path, { keepKind: false });
}

/** Whether it is a tar, compressed or not: its first entry can be read. */
async function isArchive(file: FoundFile): Promise<boolean> {
  if (!file.stat.isFile()) return false;
  try {
    for await (const _ of readTar(decompress(contentOf(file)))) return true;
  } catch (error) {
    // What is compressed in a way that hull does not read may be an archive: that must not go in unnoticed.
    if (error instanceof HullError && error.kind === 'unsupported') throw error;
  }
  return false;
}

async function* contentOf({ path, folder, name, stat }: FoundFile): AsyncGenerator<Uint8Array> {
  yield* new EntryMaker().make({ path, folder, name, stat }).body?.() ?? [];
}

/** An entry under its new name, with the owner and mode that were asked for. */
function dressed(
  { header, body }: TarSource,
  moved: (name: ByteString) => ByteString,
  { owner, mode }: CopyOptions,
): TarEntry {
  return {
    ...header,
    name: moved(header.name.replace(/\/$/, '')),
    linkName: header.type === 'link' ? moved(header.linkName) : header.linkName,
    ...owner,
    ...(mode !== undefined && { mode }),
    body: () => buffers(body?.() ?? []),
  };
}

async function* buffers(chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[]): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

function newFolder(name: ByteString, { uid, gid }: Owner): TarEntry {
  return {
    type: 'directory',
    name,
    linkName: '',
    mode: 0o755,
    uid,
    gid,
    size: 0,
    mtime: timeOf(BigInt(Date.now()) * 1_000_000n),
    major: 0,
    minor: 0,
    xattrs: new Map(),
    body: () => buffers([]),
  };
}

const newWriter = (root: string): LayerWriter => new LayerWriter(root, { whiteouts: false, keepKind: false });
const rootUser: Owner = { uid: 0, gid: 0 };
const showPath = (path: ByteString): string => Buffer.from(path, 'latin1').toString('utf8');
