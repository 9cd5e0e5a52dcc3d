import { archiveChanges, archiveTree } from '../images/tar-writing/archive-tree.ts';
import { type ChangeOptions, walkChanges } from '../images/tar-writing/walk.ts';
import type { Container } from './container.ts';
import { openContainerTree, openImageTree, openStillTree } from './container-tree.ts';
import type { Engine } from './engine.ts';
import { isMountPoint } from './mount-points.ts';

export interface ContainerChange {
  /** From the container's root, beginning with a slash. */
  readonly path: string;
  readonly kind: 'A' | 'C' | 'D';
}

/** What the container has made of its image's tree: GET /containers/{id}/changes. */
export async function changesOf(engine: Engine, container: Container): Promise<readonly ContainerChange[]> {
  await using tree = await openContainerTree(engine, container);
  await using below = await openImageTree(engine, container);
  const found: ContainerChange[] = [];
  for await (const change of walkChanges(tree.path, below?.path, await howChanged(engine, container))) {
    const path = change.kind === 'D' ? join(change.folder, change.name) : change.entry.path;
    // The root is no file of its own to Docker's users.
    if (path !== '')
      found.push({ kind: change.kind, path: `/${Buffer.from(path, 'latin1').toString('utf8')}` });
  }
  return found;
}

/** Content bytes that the container's own layer has beyond its image's. */
export async function sizeOfChanges(engine: Engine, container: Container): Promise<number> {
  await using tree = await openContainerTree(engine, container);
  await using below = await openImageTree(engine, container);
  let size = 0;
  for await (const change of walkChanges(tree.path, below?.path, await howChanged(engine, container))) {
    if (change.kind !== 'D' && change.entry.stat.isFile()) size += Number(change.entry.stat.size);
  }
  return size;
}

/** The whole tree as a tar archive: GET /containers/{id}/export. */
export async function* exportOf(
  engine: Engine,
  container: Container,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using tree = await openContainerTree(engine, container);
  yield* archiveTree(tree.path);
}

/** The changes as an image layer; with `still` nothing of the container runs until the last byte is out. */
export async function* layerOf(
  engine: Engine,
  container: Container,
  { still }: { readonly still: boolean },
): AsyncGenerator<Uint8Array, void, undefined> {
  const open = still ? openStillTree : openContainerTree;
  await using tree = await open(engine, container);
  await using below = await openImageTree(engine, container);
  yield* archiveChanges(tree.path, below?.path, await howChanged(engine, container));
}

/** To be asked when both trees are open. */
const howChanged = async ({ driver }: Engine, { id }: Container): Promise<ChangeOptions> => ({
  leaveOut: isMountPoint,
  hint: await driver.changeHint(id),
});

const join = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);
