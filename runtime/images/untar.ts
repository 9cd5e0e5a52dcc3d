import {
  chmodSync,
  closeSync,
  constants,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  write,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { codeOf, HullError } from '../base/errors.ts';
import { makeRawNode, setRawTimes, setRawXattr } from '../sys/raw-path.ts';
import { insideRoot, join, RootPaths } from './root-paths.ts';
import { type ByteString, type FileTime, showName, type TarHeader } from './tar-header.ts';
import { readTar, type TarEntry } from './tar-reader.ts';

export interface UntarLimits {
  /** Content bytes over all entries. */
  readonly bytes: number;
  readonly entries: number;
}

/** Beyond these an archive is taken for a bomb. */
export const defaultLimits: UntarLimits = { bytes: 256 * 2 ** 30, entries: 4_000_000 };

export interface UntarResult {
  /** Content bytes written. */
  readonly bytes: number;
  readonly entries: number;
  /** Attributes that the file system does not know, one line each. */
  readonly warnings: readonly string[];
}

/**
 * Unpacks a layer (image-spec layer.md) over the tree at `root`: whiteouts are performed as deletions, so that one way fits every
 * storage driver. `root` may be `/proc/<pid>/cwd`: no link is ever left to the kernel to follow; those in the way of a
 * name lead inside the root, as after chroot.
 *
 * A failure leaves what was unpacked so far: the caller throws the whole tree away.
 * @throws HullError `invalid` (hostile or damaged; names the entry, what was found, what was wanted), `unsupported`,
 *   `exhausted` (the disk is full).
 */
export async function untar(
  archive: AsyncIterable<Uint8Array>,
  root: string,
  limits: UntarLimits = defaultLimits,
): Promise<UntarResult> {
  const layer = new LayerWriter(root, limits);
  for await (const entry of readTar(archive)) {
    try {
      await layer.add(entry);
    } catch (error) {
      throw explain(error, entry);
    }
  }
  return layer.finish();
}

const writeAsync = promisify(write);
// A write of this size to the page cache takes microseconds; larger ones leave the event loop free.
const writtenAtOnce = 65_536;
const whiteout = '.wh.';
const opaque = '.wh..wh..opq';
// Folders and files aufs kept for itself, in layers made by it.
const aufsPrivate = '.wh..wh.';
const kindBits = { character: constants.S_IFCHR, block: constants.S_IFBLK, fifo: constants.S_IFIFO } as const;

class LayerWriter {
  readonly #paths: RootPaths;
  readonly #limits: UntarLimits;
  /** What this layer has written, with all folders above: whiteouts spare it, in whatever order they come. */
  readonly #touched = new Set<ByteString>(['']);
  /** Filling a folder changes its time, so times of folders are set last. */
  readonly #folderTimes = new Map<ByteString, FileTime>();
  readonly #warnings: string[] = [];
  #bytes = 0;
  #entries = 0;

  constructor(root: string, limits: UntarLimits) {
    this.#paths = new RootPaths(root);
    this.#limits = limits;
  }

  async add(entry: TarEntry): Promise<void> {
    this.#count(entry);
    const name = insideRoot(entry.name, 'entry');
    const base = name.slice(name.lastIndexOf('/') + 1);
    const folders = name.split('/').slice(0, -1);
    if ([...folders, base].some((part) => part.startsWith(aufsPrivate) && part !== opaque)) return;
    if (folders.some((part) => part.startsWith(whiteout))) {
      throw invalid('found a whiteout in the place of a folder, wanted it as the last part of a name');
    }
    if (base.startsWith(whiteout)) return this.#whiteOut(name, base);
    if (name === '') return this.#addRoot(entry);
    const path = this.#paths.resolve(name, (folder) => this.#touch(folder));
    this.#makeWay(path, entry);
    await this.#make(path, entry);
    this.#touch(path);
  }

  finish(): UntarResult {
    for (const [path, time] of this.#folderTimes) {
      if (this.#paths.stat(path)?.isDirectory()) {
        setRawTimes(this.#paths.raw(path), time.seconds, time.nanoseconds);
      }
    }
    return { bytes: this.#bytes, entries: this.#entries, warnings: this.#warnings };
  }

  #count({ size }: TarHeader): void {
    this.#bytes += size;
    this.#entries += 1;
    const { bytes, entries } = this.#limits;
    if (this.#bytes > bytes)
      throw invalid(`found ${this.#bytes} bytes of content up to here, wanted at most ${bytes}`);
    if (this.#entries > entries) throw invalid(`found more than ${entries} entries, wanted fewer`);
  }

  #addRoot(entry: TarEntry): void {
    if (entry.type !== 'directory')
      throw invalid(`found a ${entry.type} in place of the root, wanted a folder`);
    this.#setAttributes('', entry);
  }

  /** What is in the way goes, unless a folder meets a folder. */
  #makeWay(path: ByteString, entry: TarEntry): void {
    const there = this.#paths.stat(path);
    if (there && !(there.isDirectory() && entry.type === 'directory')) this.#paths.remove(path, there);
  }

  async #make(path: ByteString, entry: TarEntry): Promise<void> {
    const raw = this.#paths.raw(path);
    switch (entry.type) {
      case 'file':
        await this.#writeFile(raw, entry);
        break;
      case 'directory':
        if (!this.#paths.stat(path)) mkdirSync(raw, 0o700);
        break;
      case 'symlink':
        if (entry.linkName === '' || entry.linkName.includes('\0')) {
          throw invalid(`found link target ${showName(entry.linkName)}, wanted a path`);
        }
        symlinkSync(Buffer.from(entry.linkName, 'latin1'), raw);
        break;
      case 'link':
        // A hard link is the file it names: attributes came with that.
        return this.#link(raw, entry);
      case 'fifo':
        makeRawNode(raw, kindBits.fifo | 0o600, 0, 0);
        break;
      case 'character':
      case 'block':
        checkDevice(entry);
        makeRawNode(raw, kindBits[entry.type] | 0o600, entry.major, entry.minor);
        break;
      default:
        entry.type satisfies never;
    }
    this.#setAttributes(path, entry);
  }

  async #writeFile(raw: Buffer, entry: TarEntry): Promise<void> {
    const file = openSync(
      raw,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      for await (const chunk of entry.body()) {
        for (let done = 0; done < chunk.length; ) {
          const rest = chunk.subarray(done);
          done +=
            entry.size > writtenAtOnce ? (await writeAsync(file, rest)).bytesWritten : writeSync(file, rest);
        }
      }
    } finally {
      closeSync(file);
    }
  }

  #link(raw: Buffer, entry: TarEntry): void {
    const target = insideRoot(entry.linkName, `the target of link ${showName(entry.name)}`);
    const path = this.#paths.resolve(target, (folder) => this.#touch(folder));
    const stat = this.#paths.stat(path);
    if (!stat || stat.isDirectory()) {
      throw invalid(
        `found ${stat ? 'a folder' : 'nothing'} at its target ${showName(entry.linkName)}, wanted a file`,
      );
    }
    linkSync(this.#paths.raw(path), raw);
  }

  /** Owner first: changing it clears setuid bits and capabilities. */
  #setAttributes(path: ByteString, entry: TarEntry): void {
    const raw = this.#paths.raw(path);
    for (const [what, id] of [
      ['uid', entry.uid],
      ['gid', entry.gid],
    ] as const) {
      // The largest number means "leave as it is" to chown(2).
      if (!Number.isInteger(id) || id < 0 || id >= 0xffff_ffff)
        throw invalid(`found ${what} ${id}, wanted 0 to 4294967294`);
    }
    lchownSync(raw, entry.uid, entry.gid);
    if (entry.type !== 'symlink') chmodSync(raw, entry.mode);
    for (const [name, value] of entry.xattrs) this.#setXattr(raw, name, value, entry);
    if (entry.type === 'directory') this.#folderTimes.set(path, entry.mtime);
    else setRawTimes(raw, entry.mtime.seconds, entry.mtime.nanoseconds);
  }

  #setXattr(raw: Buffer, name: string, value: Buffer, entry: TarEntry): void {
    if (/^(trusted|user)\.overlay\./.test(name) || !/^(security|user|system|trusted)\../.test(name)) {
      throw invalid(
        `found attribute ${JSON.stringify(name)}, wanted one of security., user., system. or trusted., and none of overlay's own`,
      );
    }
    try {
      setRawXattr(raw, name, value);
    } catch (error) {
      const code = codeOf(error);
      // user.* goes on files and folders only; labels need their security module. A lost capability breaks the program.
      const bearable = code === 'ENOTSUP' || (code === 'EPERM' && name.startsWith('user.'));
      if (!bearable || name === 'security.capability') throw error;
      this.#warnings.push(`${showName(entry.name)}: attribute ${name} left out: ${code}`);
    }
  }

  #whiteOut(name: ByteString, base: ByteString): void {
    const folder = this.#paths.resolve(name, (made) => this.#touch(made)).slice(0, -base.length - 1);
    const hidden = base.slice(whiteout.length);
    if (base !== opaque && (hidden === '' || hidden === '.' || hidden === '..')) {
      throw invalid(`found a whiteout of ${JSON.stringify(hidden)}, wanted one of a file`);
    }
    this.#prune(base === opaque ? folder : join(folder, hidden));
  }

  /** Removes what lower layers have at the path, and spares what this layer has put there. */
  #prune(path: ByteString): void {
    if (!this.#touched.has(path)) {
      this.#paths.remove(path);
    } else if (this.#paths.stat(path)?.isDirectory()) {
      for (const child of this.#paths.list(path)) this.#prune(child);
    }
  }

  #touch(path: ByteString): void {
    for (
      let each = path;
      !this.#touched.has(each);
      each = each.slice(0, Math.max(0, each.lastIndexOf('/')))
    ) {
      this.#touched.add(each);
    }
  }
}

function checkDevice({ major, minor, type }: TarEntry): void {
  const wanted = 'wanted 0–4095 and 0–1048575';
  if (!(major >= 0 && major <= 0xfff && minor >= 0 && minor <= 0xfffff)) {
    throw invalid(`found device ${major}:${minor}, ${wanted}`);
  }
  if (type === 'character' && major === 0 && minor === 0) {
    throw invalid("found character device 0:0, which is a union file system's whiteout, wanted a device");
  }
}

const invalid = (reason: string): HullError => new HullError(reason, { kind: 'invalid' });

const kinds: Readonly<Record<string, HullError['kind']>> = {
  ENOSPC: 'exhausted',
  EDQUOT: 'exhausted',
  ENAMETOOLONG: 'invalid',
  ENOTSUP: 'unsupported',
};

/** Names the entry in every error that does not yet. */
function explain(error: unknown, { name, type }: TarHeader): unknown {
  if (error instanceof HullError) {
    if (error.message.startsWith('Cannot ')) return error;
    return new HullError(`Cannot unpack ${type} ${showName(name)}: ${error.message}`, { kind: error.kind });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new HullError(`Cannot unpack ${type} ${showName(name)}: ${reason}`, {
    kind: kinds[codeOf(error) ?? ''] ?? 'internal',
    cause: error,
  });
}
