import { HullError } from '../../base/errors.ts';
import type { ByteString } from '../../images/tar-header.ts';
import { resolveInTree } from '../../images/tar-writing/resolve.ts';

export interface Destination {
  /** From the root, all links in its last place followed, without a slash at either end; '' is the root. */
  readonly path: ByteString;
  readonly kind: 'absent' | 'folder' | 'file';
}

const mostLinks = 40;

/** What a path names in a tree, also where its last link leads to nothing yet. Kind `invalid`: links in a circle. */
export function resolveDestination(root: string, wanted: ByteString): Destination {
  let path = tidy(wanted);
  for (let links = 0; links < mostLinks; links++) {
    using file = resolveInTree(root, path, false);
    if (!file) return { path, kind: 'absent' };
    if (file.stat.isSymbolicLink()) {
      const target = file.folder.linkTarget(file.name);
      const above = file.path.split('/').slice(0, -1).join('/');
      path = tidy(target.startsWith('/') ? target : `${above}/${target}`);
      continue;
    }
    return { path: file.path, kind: file.stat.isDirectory() ? 'folder' : 'file' };
  }
  const shown = Buffer.from(wanted, 'latin1').toString('utf8');
  throw new HullError(`cannot use ${shown}: too many links`, { kind: 'invalid' });
}

/** `/a//./b/../c/` as `a/c`; above the root is the root. */
function tidy(path: ByteString): ByteString {
  const parts: ByteString[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}
