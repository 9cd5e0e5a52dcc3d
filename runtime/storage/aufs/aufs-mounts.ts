import { join } from 'node:path';
import type { MountSpec } from '../../kernel/mount-spec.ts';

/** Branches of one union that aufs takes (CONFIG_AUFS_BRANCH_MAX_127, the default). */
export const aufsMaxBranches = 127;

export interface AufsMount {
  /** The folder that the branches are in; they are given relative to it. */
  readonly folder: string;
  /** Topmost first; the first is written to. */
  readonly branches: readonly [writable: string, ...readOnly: string[]];
  /** File for the table of inode numbers; undefined: none is kept, and numbers change from mount to mount. */
  readonly xino: string | undefined;
  readonly dirperm1: boolean;
  /** What mount(2) takes as options, its NUL included: a page. */
  readonly pageSize: number;
}

/** What aufs keeps of each option and branch while it reads them, in a page of its own: 48 bytes on 64-bit kernels. More is E2BIG. */
const optionBytes = 64;

/**
 * The calls that make the union: one mount with as many branches as go into a page of options, and aufs's page of what it
 * has read, then remounts that append the others below. aufs(5)
 *
 * `ro+wh`: whiteouts in a lower layer hide what is below *it*. `noplink`: a hard link to a lower file is broken when it is copied
 * up; with pseudo-links it would look whole as long as it is mounted, and be broken afterwards.
 */
export function aufsMounts({ folder, branches, xino, dirperm1, pageSize }: AufsMount): readonly MountSpec[] {
  const [writable, ...readOnly] = branches;
  const fixed = [
    'dio',
    xino === undefined ? 'noxino' : `xino=${xino}`,
    'noplink',
    ...(dirperm1 ? ['dirperm1'] : []),
  ];
  const left = readOnly.map((name) => `${name}=ro+wh`);
  const most = Math.floor(pageSize / optionBytes);
  let union = `br:${writable}=rw`;
  const room = pageSize - 1 - Buffer.byteLength(fixed.join(',')) - 1;
  for (let count = fixed.length + 1; left[0] !== undefined && count < most; count++) {
    if (Buffer.byteLength(union) + 1 + Buffer.byteLength(left[0]) > room) break;
    union += `:${left.shift()}`;
  }
  const mounts = [[union, ...fixed]];
  while (left.length > 0) {
    const words = ['remount'];
    // `remount` is a flag and takes no room.
    for (let used = 0; left[0] !== undefined && words.length <= most; ) {
      const word = `append:${left[0]}`;
      used += Buffer.byteLength(word) + 1;
      if (used > pageSize) break;
      words.push(word);
      left.shift();
    }
    mounts.push(words);
  }
  // The source says whose union it is: nothing else in mountinfo does.
  const source = join(folder, writable);
  return mounts.map((options) => ({ type: 'aufs', source, target: '', options, cwd: folder }));
}

export interface XinoPlace {
  readonly folder: string;
  /** Of the file system; `undefined` where the folder is not there or cannot be written. */
  readonly type: string | undefined;
  readonly freeBytes: number;
}

/**
 * Where the table of inode numbers goes: a tmpfs with room, for it is written all the time and of no use after the mount. aufs
 * takes no comma in the path. Undefined where no place will do.
 */
export function chooseXino(places: readonly XinoPlace[]): string | undefined {
  const wanted = 16 * 1024 ** 2;
  const found = places.find(
    ({ folder, type, freeBytes }) => type === 'tmpfs' && freeBytes >= wanted && !/[,\s]/.test(folder),
  );
  return found && `${found.folder}/aufs.xino`;
}

/** Why branches cannot be on this file system, or undefined: aufs refuses those that are unions or keep state in names. */
export function refusedBelowAufs(type: string): string | undefined {
  return ['aufs', 'btrfs', 'ecryptfs', 'overlay', 'nfs', 'nfs4'].includes(type)
    ? `a file system that aufs takes as a branch: found ${type}, wanted ext4, xfs or tmpfs`
    : undefined;
}
