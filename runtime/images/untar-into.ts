import { decompress } from './decompress.ts';
import { explainEntry } from './entry-problem.ts';
import { LayerWriter } from './layer-writer.ts';
import { insideRoot, join } from './root-paths.ts';
import type { ByteString } from './tar-header.ts';
import { readTar, type TarEntry } from './tar-reader.ts';

export interface UntarIntoOptions {
  /** A folder never takes the place of another file, nor the reverse. */
  readonly keepKind: boolean;
  /** Sees each entry on its way, and may hear its content. */
  readonly through?: (entry: TarEntry) => TarEntry;
  /** As `ReadTarOptions`. */
  readonly mayLackEnd?: boolean;
}

/**
 * Unpacks an archive, compressed or not, into a folder of a tree, where `untar` is for layers: names that begin with `.wh.` are files as any
 * other. `folder` has no links in it; links below it lead inside the tree's root. Nothing else may change the tree meanwhile.
 * @throws HullError as `untar`; with `keepKind` also where a folder would take the place of a file, or the reverse.
 */
export async function untarInto(
  archive: AsyncIterable<Uint8Array>,
  root: string,
  folder: ByteString,
  { keepKind, through = (entry) => entry, mayLackEnd = false }: UntarIntoOptions,
): Promise<void> {
  const writer = new LayerWriter(root, { whiteouts: false, keepKind });
  for await (const raw of readTar(decompress(archive), { mayLackEnd })) {
    const entry = through(raw);
    try {
      const name = insideRoot(entry.name, 'entry');
      // The folder itself stays what it is.
      if (name === '') continue;
      const linkName =
        entry.type === 'link' ? join(folder, insideRoot(entry.linkName, 'link')) : entry.linkName;
      await writer.add({ ...entry, name: join(folder, name), linkName });
    } catch (error) {
      throw explainEntry(error, entry);
    }
  }
  writer.finish();
}
