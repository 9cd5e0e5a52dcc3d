import { HullError } from '../../base/errors.ts';
import { showName } from '../tar-header.ts';
import { EntryMaker, whiteout } from './tree-entry.ts';
import { type ChangeOptions, walkChanges, walkTree } from './walk.ts';
import { writeTar } from './write-tar.ts';

/** A whole tree as a tar archive, without its root. The same tree gives the same bytes. */
export async function* archiveTree(root: string): AsyncGenerator<Uint8Array, void, undefined> {
  const entries = new EntryMaker();
  async function* sources() {
    for await (const entry of walkTree(root)) yield entries.make(entry);
  }
  yield* writeTar(sources());
}

/**
 * What makes `root` of its parent's tree, as an image layer (image-spec layer.md): added and changed files, with all folders above
 * them, and whiteouts for deleted ones. Unpacked over the parent it gives the tree again.
 */
export async function* archiveChanges(
  root: string,
  parent: string | undefined,
  options?: ChangeOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const entries = new EntryMaker();
  async function* sources() {
    for await (const change of walkChanges(root, parent, options)) {
      const name = change.kind === 'D' ? change.name : change.entry.name;
      if (name.startsWith('.wh.')) throw reserved(name);
      yield change.kind === 'D' ? whiteout(change.folder, name) : entries.make(change.entry);
    }
  }
  yield* writeTar(sources());
}

/** Unpacked, such a file would delete another one. */
function reserved(name: string): HullError {
  return new HullError(
    `Cannot write the layer: found a file ${showName(name)}, wanted no name that begins with ".wh.", which marks deletions`,
    { kind: 'invalid' },
  );
}
