import type { ByteString } from '../../images/tar-header.ts';
import type { FoundFile } from '../../images/tar-writing/resolve.ts';
import { resolveInTree } from '../../images/tar-writing/resolve.ts';
import { EntryMaker, type TreeEntry } from '../../images/tar-writing/tree-entry.ts';
import { walkFolder } from '../../images/tar-writing/walk.ts';
import { beginChecksum } from './entry-checksum.ts';

/**
 * Where COPY and ADD take files from: the context, another image's tree, or what was downloaded. Links lead inside it, and nothing
 * of it is trusted.
 */
export class SourceTree {
  readonly root: string;
  readonly #sums: ReadonlyMap<ByteString, string> | undefined;
  readonly #known = new Map<ByteString, string>();

  /** `sums`: of an archive that the tree was unpacked from. Without them files are read. */
  constructor(root: string, sums?: ReadonlyMap<ByteString, string>) {
    this.root = root;
    this.#sums = sums;
  }

  /** With all links followed; undefined where there is nothing. */
  find(path: ByteString): FoundFile | undefined {
    return resolveInTree(this.root, path, true);
  }

  /** A found file itself and, of a folder, all that is in it; the path of each is from the root. */
  async *entriesOf({ path, folder, name, stat }: FoundFile): AsyncGenerator<TreeEntry, void, undefined> {
    yield { path, folder, name, stat };
    if (!stat.isDirectory()) return;
    using inner = folder.enter(name === '' ? '.' : name);
    if (inner) yield* walkFolder(inner, path);
  }

  /** Of one file without what is below it. An archive's path that it did not name stands for itself, as in Docker. */
  async checksum(entry: TreeEntry): Promise<string> {
    if (this.#sums) return this.#sums.get(entry.path) ?? entry.path;
    const known = this.#known.get(entry.path);
    if (known !== undefined) return known;
    // A maker of its own: a hard link is summed as the file that it is.
    const { header, body } = new EntryMaker().make(entry);
    const hash = beginChecksum(header);
    for await (const chunk of body?.() ?? []) hash.update(chunk);
    const sum = hash.digest('hex');
    this.#known.set(entry.path, sum);
    return sum;
  }
}
