import { existsSync, lstatSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What aufs makes in the root of a branch that it writes to, and removes from one that it only reads. */
const whiteoutBase = '.wh..wh.aufs';
const orphans = '.wh..wh.orph';

/**
 * Puts that in place before aufs does, and the folder's times back: the root of a layer is that folder, and would be as new with each mount.
 */
export function prepareBranch(folder: string, use: 'read' | 'write'): void {
  const [base, orphaned] = [whiteoutBase, orphans].map((name) => join(folder, name)) as [string, string];
  const wanted = use === 'write';
  if (existsSync(base) === wanted && existsSync(orphaned) === wanted) return;
  const { atime, mtime } = lstatSync(folder);
  if (wanted) {
    writeFileSync(base, '', { mode: 0o444 });
    mkdirSync(orphaned, { recursive: true, mode: 0o700 });
  } else {
    for (const path of [base, orphaned]) rmSync(path, { recursive: true, force: true });
  }
  utimesSync(folder, atime, mtime);
}
