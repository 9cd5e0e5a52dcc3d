import { EntryProblem, explainEntry } from './entry-problem.ts';
import { LayerWriter } from './layer-writer.ts';
import { readTar } from './tar-reader.ts';

export interface UntarLimits {
  /** Content bytes over all entries. */
  readonly bytes: number;
  readonly entries: number;
}

/** Beyond these an archive is taken for a bomb. */
export const defaultLimits: UntarLimits = { bytes: 256 * 2 ** 30, entries: 4_000_000 };

export interface UntarResult {
  /** Content bytes written. */
  readonly bytes: number;
  readonly entries: number;
  /** Attributes that the file system does not know, one line each. */
  readonly warnings: readonly string[];
}

/**
 * Unpacks a layer (image-spec layer.md) over the tree at `root`: whiteouts are performed as deletions, so that one way fits every
 * storage driver. `root` may be `/proc/<pid>/cwd`: no link is ever left to the kernel to follow; those in the way of a
 * name lead inside the root, as after chroot.
 *
 * A failure leaves what was unpacked so far: the caller throws the whole tree away.
 * @throws HullError `invalid` (hostile or damaged; names the entry, what was found, what was wanted), `unsupported`,
 *   `exhausted` (the disk is full).
 */
export async function untar(
  archive: AsyncIterable<Uint8Array>,
  root: string,
  limits: UntarLimits = defaultLimits,
): Promise<UntarResult> {
  const layer = new LayerWriter(root);
  let bytes = 0;
  let entries = 0;
  for await (const entry of readTar(archive)) {
    bytes += entry.size;
    entries += 1;
    try {
      if (bytes > limits.bytes) {
        throw new EntryProblem(`found ${bytes} bytes of content up to here, wanted at most ${limits.bytes}`);
      }
      if (entries > limits.entries) {
        throw new EntryProblem(`found more than ${limits.entries} entries, wanted fewer`);
      }
      await layer.add(entry);
    } catch (error) {
      throw explainEntry(error, entry);
    }
  }
  layer.finish();
  return { bytes, entries, warnings: layer.warnings };
}
