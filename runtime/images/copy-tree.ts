import { setAttributes, setTime } from './entry-attributes.ts';
import { explainEntry } from './entry-problem.ts';
import { LayerWriter } from './layer-writer.ts';
import type { TarHeader } from './tar-header.ts';
import { EntryMaker, type TreeEntry } from './tar-writing/tree-entry.ts';
import type { TreeFolder } from './tar-writing/tree-folder.ts';
import { walkFolder } from './tar-writing/walk.ts';
import type { TarSource } from './tar-writing/write-tar.ts';

/**
 * Copies all that is in a folder of a tree that is not trusted, and what the folder itself is like, into an empty folder of ours: owners,
 * modes, times, attributes, hard links, holes, devices. Links are copied and never followed; sockets stay behind. Answers one line for each
 * attribute that the target's file system does not take.
 */
export async function copyTree(source: TreeFolder, target: string): Promise<readonly string[]> {
  const entries = new EntryMaker();
  const writer = new LayerWriter(target, { whiteouts: false, keepKind: false });
  const add = async ({ header, body, pieces }: TarSource): Promise<void> => {
    try {
      await writer.add({ ...header, body: body ?? nothing, ...(pieces && { pieces }) });
    } catch (error) {
      throw explainEntry(error, header);
    }
  };
  const top = rootEntry(source);
  if (top) await add(entries.make(top));
  for await (const entry of walkFolder(source, '')) await add(entries.make(entry));
  writer.finish();
  return writer.warnings;
}

/** What a folder looks like now, to be given to another one: owner, mode, attributes, time. */
export function lookOf(folder: TreeFolder): (target: string) => void {
  const top = rootEntry(folder);
  if (!top) return () => undefined;
  const header: TarHeader = new EntryMaker().make(top).header;
  return (target) => {
    const path = Buffer.from(target);
    setAttributes(path, header);
    setTime(path, header.mtime);
  };
}

function rootEntry(folder: TreeFolder): TreeEntry | undefined {
  const stat = folder.stat('');
  return stat && { path: '', folder, name: '', stat };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
