import { readFileSync } from 'node:fs';
import { release } from 'node:os';

/** One line of /proc/<pid>/mountinfo, proc_pid_mountinfo(5). Paths are unescaped. */
export interface MountInfo {
  readonly id: number;
  readonly parentId: number;
  readonly major: number;
  readonly minor: number;
  /** The part of the file system that is seen: `/` or the folder of a bind mount. `…//deleted` where that is gone. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
  /** `shared:7`, `master:3`, `propagate_from:2`, `unbindable`. */
  readonly propagation: readonly string[];
  readonly type: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

export function parseMountInfo(text: string): MountInfo[] {
  return text.split('\n').filter(Boolean).map(parseLine);
}

/** The mounts a process sees; `contains` keeps only lines with that (escaped) text, before anything is parsed. */
export function readMountInfo(pid: number | 'self', contains?: string): MountInfo[] {
  const text = readStable(`/proc/${pid}/mountinfo`);
  if (contains === undefined) return parseMountInfo(text);
  if (!text.includes(contains)) return [];
  return parseMountInfo(
    text
      .split('\n')
      .filter((line) => line.includes(contains))
      .join('\n'),
  );
}

/** The mount that shows `path`: the longest mount point above it, the topmost of several on one point. */
export function coveringMount(mounts: readonly MountInfo[], path: string): MountInfo | undefined {
  return mounts
    .filter((mount) => isWithin(path, mount.mountPoint))
    .reduce<MountInfo | undefined>(
      (best, mount) => (best && best.mountPoint.length > mount.mountPoint.length ? best : mount),
      undefined,
    );
}

/** Whether `path` is `folder` or below it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(`${folder}/`);
}

/** As the kernel writes a path into mountinfo. */
export function escapeMountPath(path: string): string {
  return path.replace(/[ \t\n\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

function parseLine(line: string): MountInfo {
  const words = line.split(' ');
  const separator = words.indexOf('-', 6);
  const [id, parentId, device = '', root = '', mountPoint = '', options = ''] = words;
  const [type = '', source = '', superOptions = ''] = words.slice(separator + 1);
  const [major, minor] = device.split(':');
  return {
    id: Number(id),
    parentId: Number(parentId),
    major: Number(major),
    minor: Number(minor),
    root: unescapeWord(root),
    mountPoint: unescapeWord(mountPoint),
    options: options.split(','),
    propagation: words.slice(6, separator),
    type,
    source: unescapeWord(source),
    superOptions: superOptions.split(',').map(unescapeWord),
  };
}

function unescapeWord(word: string): string {
  if (!word.includes('\\')) return word;
  return word.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

// Kernels before 5.8 may leave out entries while others mount: there, only two equal reads count.
const readsMayMiss = isBefore(release(), 5, 8);

function readStable(path: string): string {
  let text = readFileSync(path, 'utf8');
  for (let read = 0; readsMayMiss && read < 5; read++) {
    const again = readFileSync(path, 'utf8');
    if (again === text) break;
    text = again;
  }
  return text;
}

function isBefore(version: string, major: number, minor: number): boolean {
  const [foundMajor = 0, foundMinor = 0] = version.split('.').map(Number);
  return foundMajor < major || (foundMajor === major && foundMinor < minor);
}
