import { readdirSync, readlinkSync } from 'node:fs';
import { type MountInfo, readMountInfo } from './mountinfo.ts';

/** A mount namespace, with the processes that live in it. */
export interface MountNamespace {
  /** Of `/proc/<pid>/ns/mnt`. */
  readonly inode: number;
  readonly pids: readonly number[];
  readonly mounts: readonly MountInfo[];
}

/** Process numbers in /proc, ascending; some may be gone by the time they are looked at. */
export function processIds(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0);
}

/** Inode number of a process's mount namespace; undefined for one that is gone (a zombie has none). */
export function mountNamespaceOf(pid: number | 'self'): number | undefined {
  try {
    return Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/mnt`))?.[0]);
  } catch {
    return undefined;
  }
}

/**
 * Every mount namespace that a process lives in, with one read of mountinfo each; `contains` keeps only mounts whose
 * line has that text. One that is held by a file descriptor or a bind mount alone cannot be read from
 * outside and is not in the answer.
 */
export function readMountNamespaces(contains?: string): MountNamespace[] {
  const pidsByInode = new Map<number, number[]>();
  for (const pid of processIds()) {
    const inode = mountNamespaceOf(pid);
    if (inode === undefined) continue;
    const pids = pidsByInode.get(inode);
    if (pids) pids.push(pid);
    else pidsByInode.set(inode, [pid]);
  }
  return [...pidsByInode].flatMap(([inode, pids]) => {
    const mounts = readThroughAny(pids, contains);
    return mounts ? [{ inode, pids, mounts }] : [];
  });
}

// The first process may have left since; the namespace is the same through any other.
function readThroughAny(pids: readonly number[], contains: string | undefined): MountInfo[] | undefined {
  for (const pid of pids) {
    try {
      return readMountInfo(pid, contains);
    } catch {}
  }
  return undefined;
}
