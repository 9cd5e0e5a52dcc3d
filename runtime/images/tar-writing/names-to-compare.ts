import { type DirectoryRecord, directoryType, recordsIn } from '../../sys/getdents.ts';
import type { ByteString } from '../tar-header.ts';
import { byBytes, type TreeFolder } from './tree-folder.ts';

/** A name of a folder that must be looked at in both trees. */
export interface NameToCompare {
  readonly name: ByteString;
  /** It is a folder and known to be the same: only what is in it must be looked at. */
  readonly sameFolder: boolean;
}

/** All of them, in the order of their bytes. */
export function namesInBoth(layer: TreeFolder, parent: TreeFolder | undefined): readonly NameToCompare[] {
  const names = new Set([...layer.names(), ...(parent?.names() ?? [])]);
  return [...names].sort(byBytes).map((name) => ({ name, sameFolder: false }));
}

/**
 * The same without those that lead to one inode in both, which is known to be the same. Folders stay, for that says nothing of
 * what is in them.
 */
export function namesThatDiffer(
  layer: TreeFolder,
  parent: TreeFolder,
  isSame: (inode: number) => boolean,
): readonly NameToCompare[] {
  const [own, old] = [layer.records(), parent.records()];
  const isPlain = (inode: number, type: number): boolean =>
    type !== 0 && type !== directoryType && isSame(inode);
  const isSameFolder = ({ inode, type }: DirectoryRecord): boolean => type === directoryType && isSame(inode);
  const found: NameToCompare[] = [];
  if (own.equals(old)) {
    // As a rule: the same names for the same inodes.
    for (const record of recordsIn(own, (inode, type) => !isPlain(inode, type)))
      found.push({ name: record.name, sameFolder: isSameFolder(record) });
  } else {
    const before = new Map(Array.from(recordsIn(old), (record) => [record.name, record]));
    for (const record of recordsIn(own)) {
      const other = before.get(record.name);
      before.delete(record.name);
      const isOne = other?.inode === record.inode && other.type === record.type;
      if (!isOne || !isPlain(record.inode, record.type))
        found.push({ name: record.name, sameFolder: isOne && isSameFolder(record) });
    }
    for (const name of before.keys()) found.push({ name, sameFolder: false });
  }
  return found.sort((a, b) => byBytes(a.name, b.name));
}
