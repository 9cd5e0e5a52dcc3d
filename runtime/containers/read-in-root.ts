import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readlink } from 'node:fs/promises';
import { codeOf, HullError } from '../base/errors.ts';

/**
 * The text of a file inside a root file system that is not trusted: links are followed as the container itself would
 * follow them, never out of the root. '' where there is no such file, or it is no regular file.
 *
 * `root` is a folder, or a magic link to one such as `/proc/<pid>/root`. Every step opens one component below the
 * descriptor of the one before it, so that nothing can be exchanged behind the walk's back (path_resolution(7)).
 */
export async function readInRoot(root: string, path: string): Promise<string> {
  await using walk = new Walk();
  await walk.enter(root, constants.O_DIRECTORY | oPath);
  const rest = split(path);
  for (let links = 0; rest.length > 0; ) {
    const name = rest.shift() ?? '';
    if (name === '..') {
      await walk.leave();
      continue;
    }
    const here = `/proc/self/fd/${walk.top.fd}/${name}`;
    const entry = await lstat(here).catch(absent);
    if (!entry) return '';
    if (entry.isSymbolicLink()) {
      if (++links > maxLinks) return '';
      const target = await readlink(here);
      if (target.startsWith('/')) await walk.toRoot();
      rest.unshift(...split(target));
    } else if (entry.isDirectory() && rest.length > 0) {
      await walk.enter(here, constants.O_DIRECTORY | constants.O_NOFOLLOW | oPath);
    } else {
      return entry.isFile() && rest.length === 0 ? await readRegular(here, path) : '';
    }
  }
  return '';
}

async function readRegular(here: string, path: string): Promise<string> {
  await using file = await open(here, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const { size } = await file.stat();
  if (size > maxBytes) {
    throw new HullError(
      `Cannot read the container's ${path}: found ${size} bytes, wanted at most ${maxBytes}`,
      { kind: 'invalid' },
    );
  }
  const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(size, maxBytes)));
  return buffer.toString('utf8', 0, bytesRead);
}

/** The descriptors from the root down to where the walk is. */
class Walk implements AsyncDisposable {
  readonly #stack: FileHandle[] = [];

  get top(): FileHandle {
    const top = this.#stack.at(-1);
    if (!top) throw new Error('Cannot walk: no root entered');
    return top;
  }

  async enter(path: string, flags: number): Promise<void> {
    this.#stack.push(await open(path, flags));
  }

  /** `..`, which at the root is the root. */
  async leave(): Promise<void> {
    if (this.#stack.length > 1) await this.#stack.pop()?.close();
  }

  async toRoot(): Promise<void> {
    while (this.#stack.length > 1) await this.leave();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const handle of this.#stack) await handle.close();
  }
}

function split(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function absent(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
  throw error;
}

/** O_PATH of asm-generic/fcntl.h, which Node does not name; the same on x86-64 and arm64. */
const oPath = 0o10000000;
const maxLinks = 40;
const maxBytes = 4 * 1024 * 1024;
