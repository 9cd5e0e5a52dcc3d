import {
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  write,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { mknod } from '../sys/mknod.ts';
import { setAttributes, setTime } from './entry-attributes.ts';
import { EntryProblem } from './entry-problem.ts';
import { insideRoot, join, RootPaths } from './root-paths.ts';
import type { Piece } from './sparse-content.ts';
import { type ByteString, type FileTime, showName, type TarHeader } from './tar-header.ts';

const writeAsync = promisify(write);
// A file of this size takes the page cache a fraction of a millisecond; larger ones leave the event loop free.
const writtenAtOnce = 1024 * 1024;
const whiteout = '.wh.';
const opaque = '.wh..wh..opq';
// Folders and files that aufs kept for itself are in layers made by it.
const aufsPrivate = '.wh..wh.';

/** A file with its content, of an archive or a tree. */
export type LayerEntry = TarHeader & {
  body(): AsyncIterable<Uint8Array>;
  /** Of a sparse file, in place of `body`. */
  readonly pieces?: () => AsyncIterable<Piece>;
};

export interface LayerWriterOptions {
  /** Names that begin with `.wh.` mark deletions. */
  readonly whiteouts: boolean;
  /** A folder never takes the place of another file, nor the reverse. */
  readonly keepKind: boolean;
}

/** Puts the entries of one layer into a tree, in the order they come. */
export class LayerWriter {
  readonly warnings: string[] = [];
  readonly #paths: RootPaths;
  /** What this layer has written, with all folders above: whiteouts spare it, in whatever order they come. */
  readonly #touched = new Set<ByteString>(['']);
  /** Filling a folder changes its time, so times of folders are set last; one that the layer does not name keeps the time it had. */
  readonly #folderTimes = new Map<ByteString, FileTime>();

  readonly #options: LayerWriterOptions;

  constructor(root: string, options: LayerWriterOptions = { whiteouts: true, keepKind: false }) {
    this.#paths = new RootPaths(root);
    this.#options = options;
  }

  /** @throws EntryProblem, or the error of the system call. */
  async add(entry: LayerEntry): Promise<void> {
    const name = insideRoot(entry.name, 'entry');
    const folders = name.split('/');
    const base = folders.pop() ?? '';
    if (!this.#options.whiteouts) return await this.#addFile(name, entry);
    if ([...folders, base].some((part) => part.startsWith(aufsPrivate) && part !== opaque)) return;
    if (folders.some((part) => part.startsWith(whiteout))) {
      throw new EntryProblem(
        'found a whiteout in the place of a folder, wanted it as the last part of a name',
      );
    }
    if (base.startsWith(whiteout)) this.#whiteOut(name, base);
    else if (name === '') this.#addRoot(entry);
    else await this.#addFile(name, entry);
  }

  finish(): void {
    for (const [path, time] of this.#folderTimes) {
      if (this.#paths.stat(path)?.isDirectory()) setTime(this.#paths.raw(path), time);
    }
  }

  #addRoot(entry: LayerEntry): void {
    if (entry.type !== 'directory') {
      throw new EntryProblem(`found a ${entry.type} in place of the root, wanted a folder`);
    }
    this.#dress('', entry);
  }

  async #addFile(name: ByteString, entry: LayerEntry): Promise<void> {
    const path = this.#resolve(name);
    const there = this.#paths.stat(path);
    const merges = entry.type === 'directory' && there?.isDirectory() === true;
    if (there && this.#options.keepKind && there.isDirectory() !== (entry.type === 'directory')) {
      throw new EntryProblem(
        `found a ${there.isDirectory() ? 'folder' : 'file'} in its place, wanted none, or another ${entry.type}`,
      );
    }
    this.#keepTime(folderOf(path));
    // What is in the way goes, unless a folder meets a folder.
    if (there && !merges) this.#paths.remove(path, there);
    if (!merges) await this.#make(this.#paths.raw(path), entry);
    this.#touch(path);
    // A hard link is the file it names: attributes came with that.
    if (entry.type !== 'link') this.#dress(path, entry);
  }

  async #make(raw: Buffer, entry: LayerEntry): Promise<void> {
    switch (entry.type) {
      case 'file':
        return writeFile(raw, entry);
      case 'directory':
        return mkdirSync(raw, 0o700);
      case 'symlink':
        return symlinkSync(linkTarget(entry), raw);
      case 'link':
        return linkSync(this.#linked(entry), raw);
      case 'fifo':
        return mknod(raw, 'fifo', 0o600);
      case 'character':
      case 'block':
        checkDevice(entry);
        return mknod(raw, entry.type, 0o600, entry);
    }
  }

  /** The file that a hard link names: in this layer or one below, and not through a link to elsewhere. */
  #linked(entry: TarHeader): Buffer {
    const target = insideRoot(entry.linkName, `the target of link ${showName(entry.name)}`);
    const path = this.#resolve(target);
    const stat = this.#paths.stat(path);
    if (stat && !stat.isDirectory()) return this.#paths.raw(path);
    const found = stat ? 'a folder' : 'nothing';
    throw new EntryProblem(`found ${found} at its target ${showName(entry.linkName)}, wanted a file`);
  }

  #dress(path: ByteString, entry: LayerEntry): void {
    const raw = this.#paths.raw(path);
    this.warnings.push(...setAttributes(raw, entry));
    if (entry.type === 'directory') this.#folderTimes.set(path, entry.mtime);
    else setTime(raw, entry.mtime);
  }

  #whiteOut(name: ByteString, base: ByteString): void {
    const hidden = base.slice(whiteout.length);
    if (base !== opaque && (hidden === '' || hidden === '.' || hidden === '..')) {
      throw new EntryProblem(`found a whiteout of ${JSON.stringify(hidden)}, wanted one of a file`);
    }
    const folder = this.#resolve(name).slice(0, -base.length - 1);
    this.#prune(base === opaque ? folder : join(folder, hidden));
  }

  /** Removes what lower layers have at the path, and spares what this layer has put there. */
  #prune(path: ByteString): void {
    if (!this.#touched.has(path)) {
      if (path !== '') this.#keepTime(folderOf(path));
      this.#paths.remove(path);
    } else if (this.#paths.stat(path)?.isDirectory()) {
      for (const child of this.#paths.list(path)) this.#prune(child);
    }
  }

  #resolve(name: ByteString): ByteString {
    return this.#paths.resolve(name, (folder) => {
      this.#keepTime(folderOf(folder));
      this.#touch(folder);
    });
  }

  #keepTime(folder: ByteString): void {
    // A folder that is made on the way to another name has none to keep.
    if (this.#folderTimes.has(folder) || (folder !== '' && this.#touched.has(folder))) return;
    const time = this.#paths.changedAt(folder);
    if (time) this.#folderTimes.set(folder, time);
  }

  #touch(path: ByteString): void {
    for (let each = path; !this.#touched.has(each); each = folderOf(each)) {
      this.#touched.add(each);
    }
  }
}

const folderOf = (path: ByteString): ByteString => path.slice(0, Math.max(0, path.lastIndexOf('/')));

async function writeFile(raw: Buffer, entry: LayerEntry): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = openSync(raw, flags, 0o600);
  try {
    if (entry.pieces) {
      for await (const { at, data } of entry.pieces()) await writeAll(file, data, entry, at);
      ftruncateSync(file, entry.size);
    } else for await (const chunk of entry.body()) await writeAll(file, chunk, entry);
  } finally {
    closeSync(file);
  }
}

/** At the file's own position where no other is said. */
async function writeAll(file: number, data: Uint8Array, { size }: TarHeader, at?: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const rest = data.subarray(done);
    const place = at === undefined ? null : at + done;
    const isLong = size > writtenAtOnce;
    done += isLong
      ? (await writeAsync(file, rest, 0, rest.length, place)).bytesWritten
      : writeSync(file, rest, 0, rest.length, place);
  }
}

function linkTarget({ linkName }: TarHeader): Buffer {
  if (linkName !== '' && !linkName.includes('\0')) return Buffer.from(linkName, 'latin1');
  throw new EntryProblem(`found link target ${showName(linkName)}, wanted a path`);
}

function checkDevice({ major, minor, type }: TarHeader): void {
  // 12 and 20 bits are what the kernel keeps of the two.
  if (!(major >= 0 && major <= 0xfff && minor >= 0 && minor <= 0xfffff)) {
    throw new EntryProblem(`found device ${major}:${minor}, wanted 0–4095 and 0–1048575`);
  }
  if (type === 'character' && major === 0 && minor === 0) {
    throw new EntryProblem(
      "found character device 0:0, which is a union file system's whiteout, wanted a device",
    );
  }
}
