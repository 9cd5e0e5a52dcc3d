import { type Dirent, lstatSync, readdirSync } from 'node:fs';
import type { StateFolder } from '../types.ts';
import type { Thing } from './thing.ts';

interface Rules {
  readonly opaque: readonly RegExp[];
  readonly ignore: readonly RegExp[];
  /** Mount points: what is below belongs to another file system and is told as a mount. */
  readonly mountPoints: ReadonlySet<string>;
}

/** Every file below the state folders with type and size. A folder that is not there holds nothing. */
export function* fileThings(
  folders: readonly StateFolder[],
  mountPoints: ReadonlySet<string>,
): Generator<Thing> {
  for (const { path, opaque = [], ignore = [] } of folders) {
    const whole = (pattern: string) => new RegExp(`^(?:${pattern})$`);
    yield* below(path, '', { opaque: opaque.map(whole), ignore: ignore.map(whole), mountPoints });
  }
}

function* below(top: string, relative: string, rules: Rules): Generator<Thing> {
  const folder = relative === '' ? top : `${top}/${relative}`;
  for (const entry of entriesOf(folder)) {
    const name = relative === '' ? entry.name : `${relative}/${entry.name}`;
    if (rules.ignore.some((pattern) => pattern.test(name))) continue;
    const path = `${top}/${name}`;
    const type = typeOf(entry);
    const size = type === 'file' ? sizeOf(path) : undefined;
    yield {
      kind: 'file',
      id: path,
      like: path,
      what: `${type} ${path}${size === undefined ? '' : ` (${size} bytes)`}`,
      state: type,
      ...(size === undefined ? {} : { size }),
    };
    if (type !== 'folder' || rules.mountPoints.has(path)) continue;
    if (!rules.opaque.some((pattern) => pattern.test(name))) yield* below(top, name, rules);
  }
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function typeOf(entry: Dirent): string {
  if (entry.isDirectory()) return 'folder';
  if (entry.isFile()) return 'file';
  if (entry.isSymbolicLink()) return 'link';
  if (entry.isSocket()) return 'socket';
  if (entry.isFIFO()) return 'fifo';
  return 'device';
}

function sizeOf(path: string): number | undefined {
  try {
    return lstatSync(path).size;
  } catch {
    return undefined;
  }
}
