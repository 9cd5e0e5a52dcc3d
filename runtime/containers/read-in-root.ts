import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { HullError } from '../base/errors.ts';

/**
 * The text of a file inside a root file system that is not trusted: links are followed as the container itself would
 * follow them, never out of the root. '' where there is no such file, or it is no regular file.
 *
 * `root` is a folder, or a magic link to one such as `/proc/<pid>/root`. Every step opens one component below the
 * descriptor of the one before it, so that nothing can be exchanged behind the walk's back (path_resolution(7)). The few calls
 * are made at once: through the thread pool each would take ten times as long.
 */
export async function readInRoot(root: string, path: string): Promise<string> {
  using walk = new Walk();
  walk.enter(root, constants.O_DIRECTORY | oPath);
  const rest = split(path);
  for (let links = 0; rest.length > 0; ) {
    const name = rest.shift() ?? '';
    if (name === '..') {
      walk.leave();
      continue;
    }
    const here = `/proc/self/fd/${walk.top}/${name}`;
    const entry = lstatSync(here, { throwIfNoEntry: false });
    if (!entry) return '';
    if (entry.isSymbolicLink()) {
      if (++links > maxLinks) return '';
      const target = readlinkSync(here);
      if (target.startsWith('/')) walk.toRoot();
      rest.unshift(...split(target));
    } else if (entry.isDirectory() && rest.length > 0) {
      walk.enter(here, constants.O_DIRECTORY | constants.O_NOFOLLOW | oPath);
    } else {
      return entry.isFile() && rest.length === 0 ? readRegular(here, path) : '';
    }
  }
  return '';
}

function readRegular(here: string, path: string): string {
  const file = openSync(here, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(file);
    if (size > maxBytes) {
      throw new HullError(
        `Cannot read the container's ${path}: found ${size} bytes, wanted at most ${maxBytes}`,
        { kind: 'invalid' },
      );
    }
    const bytes = Buffer.alloc(size);
    return bytes.toString('utf8', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}

/** The descriptors from the root down to where the walk is. */
class Walk implements Disposable {
  readonly #stack: number[] = [];

  get top(): number {
    const top = this.#stack.at(-1);
    if (top === undefined) throw new Error('Cannot walk: no root entered');
    return top;
  }

  enter(path: string, flags: number): void {
    this.#stack.push(openSync(path, flags));
  }

  /** `..`, which at the root is the root. */
  leave(): void {
    if (this.#stack.length > 1) closeSync(this.#stack.pop() ?? -1);
  }

  toRoot(): void {
    while (this.#stack.length > 1) this.leave();
  }

  [Symbol.dispose](): void {
    for (const fd of this.#stack) closeSync(fd);
  }
}

function split(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** O_PATH of asm-generic/fcntl.h, which Node does not name; the same on x86-64 and arm64. */
const oPath = 0o10000000;
const maxLinks = 40;
const maxBytes = 4 * 1024 * 1024;
