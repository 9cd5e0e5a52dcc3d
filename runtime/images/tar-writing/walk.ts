import type { BigIntStats } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import type { ChangeHint } from '../../storage/driver.ts';
import { readRawXattrs } from '../../sys/raw-path.ts';
import type { ByteString } from '../tar-header.ts';
import { type NameToCompare, namesInBoth, namesThatDiffer } from './names-to-compare.ts';
import { isLeftOut, type TreeEntry } from './tree-entry.ts';
import { TreeFolder } from './tree-folder.ts';

/** As `docker diff` names them: added, changed, deleted. */
export type Change =
  | { readonly kind: 'A' | 'C'; readonly entry: TreeEntry }
  | { readonly kind: 'D'; readonly folder: ByteString; readonly name: ByteString };

export interface ChangeOptions {
  /** What is added and does not count. */
  readonly leaveOut?: (added: TreeEntry) => boolean;
  /** What is known before. It changes nothing but how many files are looked at. */
  readonly hint?: ChangeHint | undefined;
}

/** Every file of a tree but the root, folders before what is in them, names of a folder in the order of their bytes. */
export async function* walkTree(root: string): AsyncGenerator<TreeEntry, void, undefined> {
  using folder = TreeFolder.root(root);
  yield* filesOf(folder, '', pacer());
}

/** The same below an open folder; the names begin with `path`. */
export function walkFolder(folder: TreeFolder, path: ByteString): AsyncGenerator<TreeEntry, void, undefined> {
  return filesOf(folder, path, pacer());
}

/**
 * How one tree differs from another that it was made from, in the order of `walkTree`. A folder is changed where its own owner, mode or
 * attributes differ, or something in it is added, changed or deleted; its time alone says nothing. The root is named
 * only where it differs itself. What took the place of a folder hides all that was in it, which is not named again.
 */
export async function* walkChanges(
  root: string,
  parent: string | undefined,
  { leaveOut = () => false, hint }: ChangeOptions = {},
): AsyncGenerator<Change, void, undefined> {
  using layer = TreeFolder.root(root);
  using below = parent === undefined ? undefined : TreeFolder.root(parent);
  using touched = hint?.kind === 'names' && below ? TreeFolder.root(hint.folder) : undefined;
  const stat = layer.stat('');
  if (!stat) return;
  const top: TreeEntry = { path: '', folder: layer, name: '', stat };
  if (isRootChanged(top, below)) yield { kind: 'C', entry: top };
  const isSame = hint?.kind === 'inodes' ? hint.isSame : undefined;
  yield* changesIn({ layer, parent: below, touched, path: '' }, [], { pace: pacer(), leaveOut, isSame });
}

/** One folder in both trees. */
interface Place {
  readonly path: ByteString;
  readonly layer: TreeFolder;
  readonly parent: TreeFolder | undefined;
  /** Has every name that may differ; undefined where nothing knows. */
  readonly touched: TreeFolder | undefined;
}

interface Walk {
  readonly pace: () => Promise<void> | undefined;
  readonly leaveOut: (added: TreeEntry) => boolean;
  /** Undefined where nothing knows. */
  readonly isSame: ((inode: number) => boolean) | undefined;
}

async function* filesOf(
  folder: TreeFolder,
  path: ByteString,
  pace: () => Promise<void> | undefined,
): AsyncGenerator<TreeEntry, void, undefined> {
  for (const name of folder.names()) {
    const stat = folder.stat(name);
    if (!stat) continue;
    const entry: TreeEntry = { path: below(path, name), folder, name, stat };
    if (isLeftOut(entry)) continue;
    await pace();
    yield entry;
    if (!stat.isDirectory()) continue;
    using inner = folder.enter(name);
    if (inner) yield* filesOf(inner, entry.path, pace);
  }
}

/** `above` are folders that are unchanged so far: the first change below them makes them changed, and goes behind them. */
async function* changesIn(
  place: Place,
  above: TreeEntry[],
  walk: Walk,
): AsyncGenerator<Change, void, undefined> {
  const { layer, parent, path } = place;
  for (const { name, sameFolder } of namesOf(place, walk)) {
    await walk.pace();
    if (sameFolder) {
      yield* changesBelow(
        unchangedFolder(place, name),
        place,
        { changed: false, wasFolder: true },
        above,
        walk,
      );
      continue;
    }
    const [stat, old] = [layer.stat(name), parent?.stat(name)];
    const entry = stat && { path: below(path, name), folder: layer, name, stat };
    if (!entry || isLeftOut(entry)) {
      if (!old || (parent && isLeftOut({ path: '', folder: parent, name, stat: old }))) continue;
      yield* flush(above);
      yield { kind: 'D', folder: path, name };
      continue;
    }
    if (!old && walk.leaveOut(entry)) continue;
    const changed = !old || !parent || differs(entry, { path: entry.path, folder: parent, name, stat: old });
    if (changed) {
      yield* flush(above);
      yield { kind: old ? 'C' : 'A', entry };
    }
    if (!entry.stat.isDirectory()) continue;
    const wasFolder = old?.isDirectory() === true;
    yield* changesBelow(entry, place, { changed, wasFolder }, above, walk);
  }
}

async function* changesBelow(
  entry: TreeEntry,
  { layer, parent, touched }: Place,
  { changed, wasFolder }: { readonly changed: boolean; readonly wasFolder: boolean },
  above: TreeEntry[],
  walk: Walk,
): AsyncGenerator<Change, void, undefined> {
  if (!changed) above.push(entry);
  using inner = layer.enter(entry.name);
  using innerParent = wasFolder ? parent?.enter(entry.name) : undefined;
  using innerTouched = touched && enterUpper(touched, entry.name);
  if (inner) {
    const place = { layer: inner, parent: innerParent, touched: innerTouched, path: entry.path };
    yield* changesIn(place, above, walk);
  }
  if (above.at(-1) === entry) above.pop();
}

function namesOf({ layer, parent, touched }: Place, { isSame }: Walk): readonly NameToCompare[] {
  if (touched) return touched.names().map((name) => ({ name, sameFolder: false }));
  return parent && isSame ? namesThatDiffer(layer, parent, isSame) : namesInBoth(layer, parent);
}

/** Most such folders have no change below them, and then nobody asks what they are like. */
function unchangedFolder({ layer, path }: Place, name: ByteString): TreeEntry {
  let known: BigIntStats | undefined;
  return {
    path: below(path, name),
    folder: layer,
    name,
    get stat() {
      known ??= layer.stat(name);
      if (known) return known;
      throw new Error(`Cannot look at the folder ${JSON.stringify(below(path, name))}: it is gone`);
    },
  };
}

/**
 * A folder of an overlay's upper tree; undefined where the names in it do not tell what is in the merged one: it hides what is below
 * (opaque), or shows what is somewhere else (redirect).
 */
function enterUpper(upper: TreeFolder, name: ByteString): TreeFolder | undefined {
  const marks = readRawXattrs(upper.at(name));
  const isPlain = ![...marks.keys()].some((key) =>
    /^(?:trusted|user)\.overlay\.(?:opaque|redirect)$/.test(key),
  );
  return isPlain ? upper.enter(name) : undefined;
}

function* flush(above: TreeEntry[]): Generator<Change, void, undefined> {
  for (const entry of above) yield { kind: 'C', entry };
  above.length = 0;
}

function isRootChanged(top: TreeEntry, parent: TreeFolder | undefined): boolean {
  const stat = parent?.stat('');
  if (parent && stat) return differs(top, { path: '', folder: parent, name: '', stat });
  // What a layer without a parent starts as.
  const { mode, uid, gid } = top.stat;
  const plain = (Number(mode) & 0o7777) === 0o755 && uid === 0n && gid === 0n;
  return !plain || top.folder.attributes('').size > 0;
}

function differs(one: TreeEntry, other: TreeEntry): boolean {
  const [a, b] = [one.stat, other.stat];
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return true;
  if (!a.isDirectory() && (a.size !== b.size || a.mtimeNs !== b.mtimeNs)) return true;
  if ((a.isCharacterDevice() || a.isBlockDevice()) && a.rdev !== b.rdev) return true;
  // The very same file, seen through two mounts or in two snapshots.
  if (isSame(a, b)) return false;
  if (a.isSymbolicLink() && one.folder.linkTarget(one.name) !== other.folder.linkTarget(other.name))
    return true;
  return !equalAttributes(one.folder.attributes(one.name), other.folder.attributes(other.name));
}

const isSame = (a: BigIntStats, b: BigIntStats): boolean => a.ino === b.ino && a.ctimeNs === b.ctimeNs;

function equalAttributes(a: ReadonlyMap<string, Buffer>, b: ReadonlyMap<string, Buffer>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key)?.equals(value) === true);
}

const below = (folder: ByteString, name: ByteString): ByteString =>
  folder === '' ? name : `${folder}/${name}`;

/** Lets others have their turn once in a while: the calls of a walk are short, and many. */
function pacer(): () => Promise<void> | undefined {
  let count = 0;
  return () => (++count % 256 === 0 ? breathe() : undefined);
}
