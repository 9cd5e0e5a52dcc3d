import { lstatSync, mkdirSync, readdirSync, readlinkSync, rmdirSync, type Stats, unlinkSync } from 'node:fs';
import { HullError } from '../base/errors.ts';
import { type ByteString, type FileTime, showName, timeOf } from './tar-header.ts';

/** A folder's entries and files by names inside one root, where links lead inside as well, as after chroot. */
export class RootPaths {
  readonly #root: string;
  /** Known to be folders and not links; dropped when a folder is removed. */
  readonly #folders = new Set<ByteString>(['']);

  constructor(root: string) {
    this.#root = Buffer.from(root, 'utf8').toString('latin1');
  }

  /** For the kernel: `path` must come from `resolve`, or a link in it would lead out. */
  raw(path: ByteString): Buffer {
    return Buffer.from(path === '' ? this.#root : `${this.#root}/${path}`, 'latin1');
  }

  /**
   * The path that `name` has once all links of its folders are followed inside the root; its last part is not followed.
   * Missing folders are made (0755), each told to `making` before.
   * @throws HullError `invalid` for a folder that is a file, and for links in a circle.
   */
  resolve(name: ByteString, making: (folder: ByteString) => void): ByteString {
    const parts = name.split('/');
    const last = parts.pop() ?? '';
    return join(this.#enter(name, parts, making), last);
  }

  stat(path: ByteString): Stats | undefined {
    return lstatSync(this.raw(path), { throwIfNoEntry: false });
  }

  /** When the folder was last changed; undefined where there is none. */
  changedAt(folder: ByteString): FileTime | undefined {
    const stat = lstatSync(this.raw(folder), { throwIfNoEntry: false, bigint: true });
    return stat && timeOf(stat.mtimeNs);
  }

  list(folder: ByteString): readonly ByteString[] {
    return readdirSync(this.raw(folder), 'latin1').map((name) => join(folder, name));
  }

  /** Removes a file, or a folder with all below it; links are not followed. */
  remove(path: ByteString, stat: Stats | undefined = this.stat(path)): void {
    if (!stat) return;
    if (!stat.isDirectory()) {
      unlinkSync(this.raw(path));
      return;
    }
    for (const child of this.list(path)) this.remove(child);
    rmdirSync(this.raw(path));
    this.#folders.clear();
    this.#folders.add('');
  }

  #enter(name: ByteString, parts: readonly ByteString[], making: (folder: ByteString) => void): ByteString {
    const pending = parts.toReversed();
    let links = 0;
    let folder: ByteString = '';
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        // Only a link's target has these; above the root is the root.
        folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')));
        continue;
      }
      const next = join(folder, part);
      const target = this.#folders.has(next) ? undefined : this.#link(name, next, making);
      if (target === undefined) {
        folder = next;
        continue;
      }
      if (++links > 40) {
        throw new HullError(
          `Cannot unpack entry ${showName(name)}: found more than 40 links on the way, wanted a folder`,
          {
            kind: 'invalid',
          },
        );
      }
      if (target.startsWith('/')) folder = '';
      pending.push(...target.split('/').reverse());
    }
    return folder;
  }

  /** Where a link points; undefined for what is a folder now. */
  #link(name: ByteString, path: ByteString, making: (folder: ByteString) => void): ByteString | undefined {
    const stat = this.stat(path);
    if (stat?.isSymbolicLink()) return readlinkSync(this.raw(path), 'latin1');
    if (!stat) {
      making(path);
      mkdirSync(this.raw(path), 0o755);
    } else if (!stat.isDirectory()) {
      throw new HullError(
        `Cannot unpack entry ${showName(name)}: found a file at ${showName(path)}, wanted a folder`,
        {
          kind: 'invalid',
        },
      );
    }
    this.#folders.add(path);
    return undefined;
  }
}

export const join = (folder: ByteString, name: ByteString): ByteString =>
  folder === '' ? name : `${folder}/${name}`;

/**
 * An archive's name as a path inside the root: `./a//b/` and `/a/b` are `a/b`, as every engine has it.
 * @throws HullError `invalid` where `..` leads out, or the kernel could not take it.
 */
export function insideRoot(name: ByteString, what: string): ByteString {
  const parts: ByteString[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw refuse(what, name, 'wanted a name inside the root');
  }
  const path = parts.join('/');
  if (path.includes('\0')) throw refuse(what, name, 'wanted a name without NUL');
  if (path.length > 4096 || parts.some((part) => part.length > 255)) {
    throw refuse(
      what,
      name.slice(0, 80),
      `of ${name.length} bytes, wanted at most 4096, and 255 in each part`,
    );
  }
  return path;
}

function refuse(what: string, name: ByteString, wanted: string): HullError {
  return new HullError(`Cannot unpack ${what}: found ${showName(name)}, ${wanted}`, { kind: 'invalid' });
}
