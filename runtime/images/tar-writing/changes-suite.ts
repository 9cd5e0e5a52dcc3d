import {
  appendFileSync,
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ChangeHint } from '../../storage/driver.ts';
import { exchangeNames } from '../../sys/exchange-names.ts';
import { bindLibc, check } from '../../sys/libc.ts';
import { mknod } from '../../sys/mknod.ts';
import { setXattr } from '../../sys/xattr.ts';
import { walkChanges } from './walk.ts';

/** For tests of what a driver knows of changes: it must never change what a walk of both trees finds. */
export async function listChanges(
  root: string,
  parent: string,
  hint: ChangeHint | undefined,
): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const change of walkChanges(root, parent, { hint })) {
    if (change.kind === 'D') found.push(`D ${change.folder}/${change.name}`);
    else {
      const { mode, uid, gid, size, mtimeNs, nlink } = change.entry.stat;
      found.push(`${change.kind} ${change.entry.path} ${mode} ${uid}:${gid} ${size} ${mtimeNs} ${nlink}`);
    }
  }
  return found;
}

/** Folders with a file, a link and an attribute each. */
export function plantPlaces(root: string): void {
  for (const place of ['a/1', 'a/2', 'b/1', 'b/2']) {
    mkdirSync(join(root, place), { recursive: true });
    writeFileSync(join(root, place, 'file'), 'file');
    symlinkSync('file', join(root, place, 'link'));
  }
}

/** What may be done to such a tree. */
export const steps: Readonly<Record<string, (root: string) => void>> = {
  'nothing at all': () => {},
  'a new file, a changed one and a deleted one': (root) => {
    writeFileSync(join(root, 'a/new'), 'new');
    appendFileSync(join(root, 'a/1/file'), 'more');
    rmSync(join(root, 'b/1/file'));
  },
  'a file that was opened for writing and left as it was': (root) => {
    appendFileSync(join(root, 'a/1/file'), '');
    const { atime, mtime } = statSync(join(root, 'a/2/file'));
    writeFileSync(join(root, 'a/2/file'), 'file');
    utimesSync(join(root, 'a/2/file'), atime, mtime);
  },
  'a folder made again where one was deleted': (root) => {
    rmSync(join(root, 'a'), { recursive: true });
    mkdirSync(join(root, 'a/1'), { recursive: true });
    writeFileSync(join(root, 'a/1/other'), 'x');
  },
  'a new folder moved over a deleted one': (root) => {
    mkdirSync(join(root, 'fresh/1'), { recursive: true });
    writeFileSync(join(root, 'fresh/1/file'), 'other');
    rmSync(join(root, 'b'), { recursive: true });
    renameSync(join(root, 'fresh'), join(root, 'b'));
  },
  'a folder moved away, where the kernel moves it': (root) =>
    moveFolder(join(root, 'a'), join(root, 'moved')),
  'a folder moved and its old name used again': (root) => {
    moveFolder(join(root, 'b/2'), join(root, 'a/2/inner'));
    mkdirSync(join(root, 'b/2'), { recursive: true });
    writeFileSync(join(root, 'b/2/link'), 'no link any more');
  },
  'a folder that became a file, and a file that became a folder': (root) => {
    rmSync(join(root, 'a/1'), { recursive: true });
    writeFileSync(join(root, 'a/1'), 'file');
    rmSync(join(root, 'b/1/file'));
    mkdirSync(join(root, 'b/1/file/deep'), { recursive: true });
  },
  'attributes alone': (root) => {
    chmodSync(join(root, 'a/1'), 0o711);
    chmodSync(join(root, 'b/1/file'), 0o600);
    setXattr(join(root, 'b/2/file'), 'user.note', Buffer.from('x'));
  },
  'hard links to files of the parent': (root) => {
    linkSync(join(root, 'a/1/file'), join(root, 'b/twin'));
    rmSync(join(root, 'a/2/file'));
    linkSync(join(root, 'b/1/file'), join(root, 'a/2/file'));
  },
  'the root itself': (root) => chmodSync(root, 0o700),
  'a file written through a mapping': (root) => writeMapped(join(root, 'a/1/file'), 'FILE'),
  'the same bytes and times again': (root) => rewrite(join(root, 'b/2/file'), 'file'),
  'other bytes, and the old times': (root) => rewrite(join(root, 'b/2/file'), 'FILE'),
  'a file deleted and made again': (root) => {
    rmSync(join(root, 'a/1/file'));
    writeFileSync(join(root, 'a/1/file'), 'FILE');
  },
  'two names exchanged': (root) => {
    exchangeNames(join(root, 'a/1/file'), join(root, 'b/1/file'));
  },
  'a large attribute': (root) => setXattr(join(root, 'a/2/file'), 'user.large', Buffer.alloc(700, 'x')),
  'more names than a block of a folder has': (root) => {
    for (let count = 0; count < 300; count++)
      writeFileSync(join(root, 'a/1', `${'n'.repeat(60)}${count}`), '');
  },
};

/** Some verb somewhere; what cannot be done there is left. */
export function changeAtRandom(root: string, random: (below: number) => number): void {
  const text = () => String(random(1000));
  const verbs: readonly ((path: string) => void)[] = [
    (path) => write(path, text()),
    (path) => write(path, text()),
    (path) => mkdirSync(path),
    (path) => rmSync(path, { recursive: true }),
    (path) => renameSync(path, place()),
    (path) => linkSync(path, place()),
    (path) => chmodSync(path, 0o700 + random(64)),
    (path) => lchownSync(path, random(3), random(3)),
    (path) => symlinkSync(['nowhere', 'far/'.repeat(40)][random(2)] ?? '', path),
    (path) => lutimesSync(path, random(100), random(100)),
    (path) => setXattr(path, `user.${random(3)}`, Buffer.alloc([0, 5, 700][random(3)] ?? 0, text())),
    (path) => mknod(path, 'fifo', 0o600),
    (path) => mknod(path, 'character', 0o600, { major: 1, minor: [3, 5][random(2)] ?? 3 }),
    (path) => mknod(path, 'socket', 0o600),
    (path) => {
      if (statSync(path).isFile()) truncateSync(path, random(100_000));
    },
    (path) => writeSparse(path, random(10_000_000), text()),
    (path) => writeMapped(path, text()),
    (path) => rewrite(path, text()),
    (path) => {
      exchangeNames(path, place());
    },
    (path) => {
      const { mode } = lstatSync(path);
      rmSync(path);
      write(path, text(), mode);
    },
  ];
  function place(): string {
    let path = root;
    for (let depth = random(3); depth >= 0; depth--) {
      const names = [...readable(path), 'x', 'y'];
      path = join(path, names[random(names.length)] ?? 'x');
    }
    return path;
  }
  try {
    verbs[random(verbs.length)]?.(place());
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}

/** A linear congruential generator (Numerical Recipes): the same changes for the same seed. */
export function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Without redirect_dir an overlay answers EXDEV, and mv(1) copies. */
function moveFolder(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EXDEV')) throw error;
  }
}

function readable(path: string): readonly string[] {
  try {
    return lstatSync(path).isDirectory() ? readdirSync(path) : [];
  } catch {
    return [];
  }
}

/** A pipe would wait for a reader. */
function write(path: string, text: string, mode?: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== false) writeFileSync(path, text, { mode });
}

/** In place, and with the times that it had. */
function rewrite(path: string, text: string): void {
  if (!lstatSync(path).isFile()) return;
  const { atime, mtime } = statSync(path);
  const file = openSync(path, 'r+');
  try {
    writeSync(file, text, 0);
  } finally {
    closeSync(file);
  }
  utimesSync(path, atime, mtime);
}

function writeSparse(path: string, at: number, text: string): void {
  const file = openSync(path, 'wx');
  try {
    ftruncateSync(file, at * 2);
    writeSync(file, text, at);
  } finally {
    closeSync(file);
  }
}

const mmap = bindLibc<[null, number, number, number, number, number]>(
  'intptr_t mmap(void *, size_t, int, int, int, long)',
);
const memcpy = bindLibc<[bigint, Uint8Array, number]>('void *memcpy(intptr_t, const void *, size_t)');
const munmap = bindLibc<[bigint, number]>('int munmap(intptr_t, size_t)');

/** mmap(2), shared: PROT_READ|PROT_WRITE, MAP_SHARED. A file that is too short stays as it is. */
function writeMapped(path: string, text: string): void {
  if (!lstatSync(path).isFile() || lstatSync(path).size < text.length) return;
  const file = openSync(path, 'r+');
  try {
    const start = BigInt(check(mmap(null, 4096, 0x3, 0x1, file, 0), { syscall: 'mmap', path }));
    memcpy(start, Buffer.from(text), text.length);
    check(munmap(start, 4096), { syscall: 'munmap', path });
  } finally {
    closeSync(file);
  }
}
