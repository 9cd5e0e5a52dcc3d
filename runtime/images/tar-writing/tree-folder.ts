import {
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
} from 'node:fs';
import { codeOf } from '../../base/errors.ts';
import { readRecords } from '../../sys/getdents.ts';
import { readRawXattrs } from '../../sys/raw-path.ts';
import type { ByteString } from '../tar-header.ts';

/** O_PATH of <asm-generic/fcntl.h>, which Node does not name; the same on x86-64 and arm64. */
const oPath = 0o10000000;

/**
 * An open folder of a tree that is not trusted and may change while it is read. Each name is looked up below the descriptor of its
 * own folder and never followed, so nothing that is exchanged meanwhile leads out of the tree.
 */
export class TreeFolder implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** `path` may be a magic link such as `/proc/<pid>/cwd`. */
  static root(path: string): TreeFolder {
    return new TreeFolder(openSync(path, oPath | constants.O_DIRECTORY));
  }

  /** For the kernel, as long as the folder is open; '' is the folder itself. */
  at(name: ByteString): Buffer {
    return Buffer.from(`/proc/self/fd/${this.#fd}/${name === '' ? '.' : name}`, 'latin1');
  }

  /** In the order of their bytes. */
  names(): readonly ByteString[] {
    return readdirSync(this.at(''), 'latin1').sort(byBytes);
  }

  /** The same with inode numbers and types, as the folder itself has them, unread. */
  records(): Buffer {
    return readRecords(this.at(''));
  }

  /** Undefined where there is nothing (any more). */
  stat(name: ByteString): BigIntStats | undefined {
    return lstatSync(this.at(name), { throwIfNoEntry: false, bigint: true });
  }

  linkTarget(name: ByteString): ByteString {
    return readlinkSync(this.at(name), 'latin1');
  }

  /** Attributes that are content: not the marks of union file systems, not the host's security label. */
  attributes(name: ByteString): ReadonlyMap<string, Buffer> {
    const found = readRawXattrs(this.at(name));
    if (found.size === 0) return found;
    return new Map(
      [...found].filter(([key]) => !/^(?:(?:trusted|user)\.overlay\.|security\.selinux$)/.test(key)),
    );
  }

  /** Undefined where it is no folder any more. */
  enter(name: ByteString): TreeFolder | undefined {
    try {
      return new TreeFolder(openSync(this.at(name), oPath | constants.O_DIRECTORY | constants.O_NOFOLLOW));
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return undefined;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

export const byBytes = (a: ByteString, b: ByteString): number => (a < b ? -1 : a > b ? 1 : 0);
