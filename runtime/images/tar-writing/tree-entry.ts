import { type BigIntStats, closeSync, constants, fstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { splitDevice } from '../../sys/mknod.ts';
import { type ByteString, showName, type TarHeader, type TarType, timeOf } from '../tar-header.ts';
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
const chunkSize = 256 * 1024;
// A read of this size from the page cache takes microseconds; larger ones leave the event loop free.
const readAtOnce = 65_536;

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
    return size === 0 ? { header } : { header, body: () => contentOf(entry, size) };
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
  return {
    header: {
      type: 'file',
      name: `${folder === '' ? '' : `${folder}/`}.wh.${name}`,
      linkName: '',
      mode: 0o600,
      uid: 0,
      gid: 0,
      size: 0,
      mtime: { seconds: 0n, nanoseconds: 0 },
      major: 0,
      minor: 0,
      xattrs: new Map(),
    },
  };
}

function typeOf(stat: BigIntStats): TarType {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'character';
  return stat.isBlockDevice() ? 'block' : 'fifo';
}

/** Exactly `size` bytes: a file that somebody shortens meanwhile is filled up with zeros, as GNU tar does. */
async function* contentOf({ folder, name, path, stat }: TreeEntry, size: number): AsyncGenerator<Uint8Array> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = openSync(folder.at(name), flags);
  try {
    const now = fstatSync(file, { bigint: true });
    if (now.ino !== stat.ino || !now.isFile()) {
      throw new Error(`Cannot read ${showName(path)}: it was exchanged while it was read`);
    }
    for (let done = 0; done < size; ) {
      const length = Math.min(chunkSize, size - done);
      const buffer = Buffer.allocUnsafe(length);
      const count =
        size <= readAtOnce
          ? readSync(file, buffer, 0, length, done)
          : (await readAsync(file, buffer, 0, length, done)).bytesRead;
      if (count === 0) yield buffer.fill(0);
      else yield buffer.subarray(0, count);
      done += count === 0 ? length : count;
    }
  } finally {
    closeSync(file);
  }
}
