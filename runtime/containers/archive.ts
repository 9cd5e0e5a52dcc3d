import { constants } from 'node:fs';
import { HullError } from '../base/errors.ts';
import { type FoundFile, resolveInTree } from '../images/tar-writing/resolve.ts';
import { EntryMaker } from '../images/tar-writing/tree-entry.ts';
import { walkFolder } from '../images/tar-writing/walk.ts';
import { writeTar } from '../images/tar-writing/write-tar.ts';
import { untarInto } from '../images/untar-into.ts';
import { isWithin } from '../kernel/mountinfo.ts';
import type { Container } from './container.ts';
import { openContainerView } from './container-view.ts';
import type { Engine } from './engine.ts';

/** A file in a container, as `docker cp` asks for it before it copies. */
export interface FileFacts {
  readonly name: string;
  readonly size: number;
  /** Type and permissions as stat(2) has them. */
  readonly mode: number;
  readonly modifiedAt: Date;
  /** Where a link leads, from the container's root; '' for other files. */
  readonly linkTarget: string;
}

/** HEAD /containers/{id}/archive. Kind `not-found`. */
export async function statFile(engine: Engine, container: Container, path: string): Promise<FileFacts> {
  await using tree = await openContainerView(engine, container, { write: false });
  using file = find(container, tree.path, path);
  return factsOf(file, tree.path, path);
}

/**
 * The file, or the folder with all that is in it, under the last part of its name; its facts come first. A link is followed only where the
 * path ends in a slash. GET /containers/{id}/archive. Kind `not-found`.
 */
export async function* archiveOf(
  engine: Engine,
  container: Container,
  path: string,
  tell: (facts: FileFacts) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using tree = await openContainerView(engine, container, { write: false });
  using file = find(container, tree.path, path);
  tell(factsOf(file, tree.path, path));
  const entries = new EntryMaker();
  const base = bytesOf(nameOf(path));
  const { folder, name, stat } = file;
  async function* sources() {
    if (base !== '') yield entries.make({ path: base, folder, name, stat });
    if (!stat.isDirectory()) return;
    using inner = folder.enter(name === '' ? '.' : name);
    if (inner) for await (const entry of walkFolder(inner, base)) yield entries.make(entry);
  }
  yield* writeTar(sources());
}

/**
 * Unpacks an archive into a folder of the container. Links in the container lead inside it, also those that it makes meanwhile: it is
 * frozen as long as this takes. PUT /containers/{id}/archive. Kinds `not-found`, `invalid`, `forbidden` (read-only).
 */
export async function extractInto(
  engine: Engine,
  container: Container,
  path: string,
  archive: AsyncIterable<Uint8Array>,
  options: { readonly keepKind: boolean },
): Promise<void> {
  await using tree = await openContainerView(engine, container, { write: true });
  const folder = folderAt(container, tree.path, path);
  refuseReadOnly(container, `/${folder}`);
  await untarInto(archive, tree.path, folder, options);
}

/** Kind `forbidden` with Docker's words: what the container may not write to, a copy may not either. */
function refuseReadOnly({ record }: Container, folder: string): void {
  const [nearest] = record.mounts
    .filter(({ destination }) => isWithin(folder, destination))
    .toSorted((a, b) => b.destination.length - a.destination.length);
  const readOnly = nearest ? nearest.readOnly : record.config.HostConfig.ReadonlyRootfs;
  if (!readOnly) return;
  const what = nearest ? 'mounted volume' : 'container rootfs';
  throw new HullError(
    `Cannot copy into container ${record.name}: ${what} is marked read-only (${nearest?.destination ?? '/'})`,
    { kind: 'forbidden' },
  );
}

function folderAt(container: Container, root: string, path: string): string {
  using file = find(container, root, `${path}/`);
  if (file.stat.isDirectory()) return file.path;
  throw new HullError(
    `Cannot copy into container ${container.name}: found a file at ${JSON.stringify(path)}, wanted a folder`,
    { kind: 'invalid' },
  );
}

function find(container: Container, root: string, path: string): FoundFile {
  const found = resolveInTree(root, bytesOf(path), /\/\.?$/.test(path));
  if (found) return found;
  throw new HullError(`Could not find the file ${path} in container ${container.name}`, {
    kind: 'not-found',
  });
}

function factsOf({ folder, name, stat }: FoundFile, root: string, path: string): FileFacts {
  return {
    name: nameOf(path) || '/',
    size: Number(stat.size),
    mode: Number(stat.mode),
    modifiedAt: stat.mtime,
    linkTarget: stat.isSymbolicLink() ? targetOf(root, path, folder.linkTarget(name)) : '',
  };
}

function targetOf(root: string, path: string, raw: string): string {
  using target = resolveInTree(root, bytesOf(path), true) ?? none;
  const found = 'path' in target ? `/${target.path}` : raw;
  return Buffer.from(found, 'latin1').toString('utf8');
}

const none: Disposable = { [Symbol.dispose]: () => undefined };

/** Go's os.FileMode, which the API gives: permissions, and the type in the upper bits. */
export function goFileMode(mode: number): number {
  const types: readonly (readonly [number, number])[] = [
    [constants.S_IFDIR, 2 ** 31],
    [constants.S_IFLNK, 2 ** 27],
    [constants.S_IFBLK, 2 ** 26],
    [constants.S_IFCHR, 2 ** 26 + 2 ** 21],
    [constants.S_IFIFO, 2 ** 25],
    [constants.S_IFSOCK, 2 ** 24],
  ];
  const type = types.find(([bits]) => (mode & constants.S_IFMT) === bits)?.[1] ?? 0;
  const special =
    (mode & 0o4000 ? 2 ** 23 : 0) + (mode & 0o2000 ? 2 ** 22 : 0) + (mode & 0o1000 ? 2 ** 20 : 0);
  return type + special + (mode & 0o777);
}

/** The last part that is a name; '' for the root. */
const nameOf = (path: string): string =>
  path
    .split('/')
    .filter((part) => part !== '' && part !== '.' && part !== '..')
    .at(-1) ?? '';

const bytesOf = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
