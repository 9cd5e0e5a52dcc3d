import { TreeFolder } from '../images/tar-writing/tree-folder.ts';
import { walkFolder } from '../images/tar-writing/walk.ts';
import { hasOptions, type Volume } from './volume.ts';

/** Content bytes of a volume's files, each counted once whatever its names; -1 for one that is a mount: Docker's "not known". */
export async function sizeOfVolume(volume: Volume): Promise<number> {
  if (hasOptions(volume)) return -1;
  using folder = TreeFolder.root(volume.mountPoint);
  const linked = new Set<string>();
  let size = 0;
  for await (const { stat } of walkFolder(folder, '')) {
    if (!stat.isFile()) continue;
    const key = `${stat.dev}:${stat.ino}`;
    if (stat.nlink > 1n && linked.has(key)) continue;
    if (stat.nlink > 1n) linked.add(key);
    size += Number(stat.size);
  }
  return size;
}
