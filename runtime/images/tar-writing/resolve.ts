import type { BigIntStats } from 'node:fs';
import type { ByteString } from '../tar-header.ts';
import { TreeFolder } from './tree-folder.ts';

/** A file of a tree that is not trusted, found by its path. Good until disposed. */
export interface FoundFile extends Disposable {
  /** With all links on the way followed: from the root, without a slash at either end; '' is the root itself. */
  readonly path: ByteString;
  readonly folder: TreeFolder;
  readonly name: ByteString;
  readonly stat: BigIntStats;
}

const mostLinks = 40;

/**
 * Looks a path up as a process of the tree would (path_resolution(7)), one name at a time below open descriptors: links lead inside,
 * above the root is the root, and nothing that is exchanged meanwhile leads out. The last part is followed with `follow` only. Undefined
 * where there is no such file.
 */
export function resolveInTree(root: string, path: ByteString, follow: boolean): FoundFile | undefined {
  const stack = [{ folder: TreeFolder.root(root), name: '' }];
  const leave = () => stack.pop()?.folder[Symbol.dispose]();
  const found = (name: ByteString, stat: BigIntStats): FoundFile => {
    const folder = stack.at(-1)?.folder;
    if (!folder) throw new Error('unreachable');
    const above = stack.slice(1).map((each) => each.name);
    return {
      path: [...above, ...(name === '' ? [] : [name])].join('/'),
      folder,
      name,
      stat,
      [Symbol.dispose]: () => {
        while (stack.length > 0) leave();
      },
    };
  };
  let kept = false;
  try {
    const rest = partsOf(path);
    for (let links = 0; rest.length > 0; ) {
      const part = rest.shift() ?? '';
      if (part === '..') {
        if (stack.length > 1) leave();
        continue;
      }
      const folder = stack.at(-1)?.folder;
      const stat = folder?.stat(part);
      if (!folder || !stat) return undefined;
      if (stat.isSymbolicLink() && (follow || rest.length > 0)) {
        if (++links > mostLinks) return undefined;
        const target = folder.linkTarget(part);
        if (target.startsWith('/')) while (stack.length > 1) leave();
        rest.unshift(...partsOf(target));
        continue;
      }
      if (rest.length === 0) {
        kept = true;
        return found(part, stat);
      }
      const inner = folder.enter(part);
      if (!inner) return undefined;
      stack.push({ folder: inner, name: part });
    }
    const stat = stack.at(-1)?.folder.stat('');
    if (!stat) return undefined;
    kept = true;
    return found('', stat);
  } finally {
    if (!kept) while (stack.length > 0) leave();
  }
}

const partsOf = (path: ByteString): ByteString[] =>
  path.split('/').filter((part) => part !== '' && part !== '.');
