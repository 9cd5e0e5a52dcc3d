import { type BigIntStats, closeSync, constants, fstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { splitDevice } from '../../sys/mknod.ts';
import { nextData } from '../../sys/seek-data.ts';
import type { Piece } from '../sparse-content.ts';
import { type ByteString, showName, type TarHeader, type TarType, timeOf } from '../tar-header.ts';
import { plain } from './plain-entries.ts';
import type { TreeFolder } from './tree-folder.ts';
import type { TarSource } from './write-tar.ts';

/** A file as a walk meets it; good until the walk goes on. */
export interface TreeEntry {
  /** From the root, without a slash at either end; '' is the root itself. */
  readonly path: ByteString;
  readonly folder: TreeFolder;
  readonly name: ByteString;
  readonly stat: BigIntStats;
}

const readAsync = promisify(read);
const chunkSize = 1024 * 1024;
// A file of this size takes the page cache a fraction of a millisecond; larger ones leave the event loop free.
const readAtOnce = 1024 * 1024;

/** What an archive cannot or must not hold: sockets, and character device 0:0, a union file system's own whiteout. */
export function isLeftOut({ stat }: TreeEntry): boolean {
  return stat.isSocket() || (stat.isCharacterDevice() && stat.rdev === 0n);
}

/** Entries of one archive, which know each other's hard links. */
export class EntryMaker {
  readonly #links = new Map<string, ByteString>();

  /** Names of further links to a file are links to the first; attributes, ids, mode and time are the file's own. */
  make(entry: TreeEntry): TarSource {
    const { path, folder, name, stat } = entry;
    const first = stat.isDirectory() || stat.nlink < 2n ? undefined : this.#firstName(entry);
    const type = first === undefined ? typeOf(stat) : 'link';
    const device = type === 'character' || type === 'block' ? splitDevice(stat.rdev) : { major: 0, minor: 0 };
    const size = type === 'file' ? Number(stat.size) : 0;
    const header: TarHeader = {
      type,
      name: type === 'directory' ? (path === '' ? './' : `${path}/`) : path,
      linkName: first ?? (type === 'symlink' ? folder.linkTarget(name) : ''),
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      size,
      mtime: timeOf(stat.mtimeNs),
      ...device,
      xattrs: folder.attributes(name),
    };
    if (size === 0) return { header };
    const body = () => contentOf(entry, size);
    const hasHoles = stat.blocks * 512n < stat.size;
    return hasHoles ? { header, body, pieces: () => dataOf(entry, size) } : { header, body };
  }

  #firstName({ path, stat }: TreeEntry): ByteString | undefined {
    const key = `${stat.dev}:${stat.ino}`;
    const first = this.#links.get(key);
    if (first === undefined) this.#links.set(key, path);
    return first;
  }
}

/** The mark that says that lower layers' files of this name are gone (image-spec layer.md, "Whiteouts"). */
export function whiteout(folder: ByteString, name: ByteString): TarSource {
  const above = folder === '' ? '' : `${folder}/`;
  return { header: { ...plain, type: 'file', name: `${above}.wh.${name}`, mode: 0o600 } };
}

function typeOf(stat: BigIntStats): TarType {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'character';
  return stat.isBlockDevice() ? 'block' : 'fifo';
}

/** Exactly `size` bytes: a file that somebody shortens meanwhile is filled up with zeros, as GNU tar does. */
async function* contentOf(entry: TreeEntry, size: number): AsyncGenerator<Uint8Array> {
  using file = openEntry(entry);
  let done = 0;
  for await (const { data } of partOf(file.fd, 0, size)) {
    yield data;
    done += data.length;
  }
  for (; done < size; done += chunkSize) yield Buffer.alloc(Math.min(chunkSize, size - done));
}

/** What is between the holes of the first `size` bytes. */
async function* dataOf(entry: TreeEntry, size: number): AsyncGenerator<Piece> {
  using file = openEntry(entry);
  for (let found = nextData(file.fd, 0); found && found.start < size; found = nextData(file.fd, found.end))
    yield* partOf(file.fd, found.start, Math.min(found.end, size));
}

/** Fewer bytes where the file ends before. */
async function* partOf(file: number, start: number, end: number): AsyncGenerator<Piece> {
  for (let at = start; at < end; ) {
    const length = Math.min(chunkSize, end - at);
    const buffer = Buffer.allocUnsafe(length);
    const count =
      end - start <= readAtOnce
        ? readSync(file, buffer, 0, length, at)
        : (await readAsync(file, buffer, 0, length, at)).bytesRead;
    if (count === 0) return;
    yield { at, data: buffer.subarray(0, count) };
    at += count;
  }
}

function openEntry({ folder, name, path, stat }: TreeEntry): Disposable & { readonly fd: number } {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fd = openSync(folder.at(name), flags);
  const now = fstatSync(fd, { bigint: true });
  if (now.ino === stat.ino && now.isFile()) return { fd, [Symbol.dispose]: () => closeSync(fd) };
  closeSync(fd);
  throw new Error(`Cannot read ${showName(path)}: it was exchanged while it was read`);
}
