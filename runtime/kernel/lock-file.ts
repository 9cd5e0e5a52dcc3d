import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryFlock } from '../sys/flock.ts';

/**
 * A lock that is gone with its process: flock on a file that stays. The file's content (the pid) is only a hint
 * for error texts; the lock is the kernel's.
 */
export class LockFile implements AsyncDisposable {
  readonly path: string;
  readonly #file: FileHandle;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /**
   * Undefined where somebody else has it; `lockOwner` says who. The folder must exist.
   * An owner that was killed may have left a child between fork and exec, with the file open: that is waited for.
   */
  static async tryTake(path: string, waitMs = 3000): Promise<LockFile | undefined> {
    const file = await open(path, 'a+', 0o600);
    try {
      const deadline = performance.now() + waitMs;
      while (!tryFlock(file.fd)) {
        if (lockOwner(path) !== undefined || performance.now() > deadline) {
          await file.close();
          return undefined;
        }
        await sleep(10);
      }
      await file.truncate();
      await file.write(`${process.pid}\n`);
      return new LockFile(path, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async release(): Promise<void> {
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

/**
 * Whether somebody holds an exclusive lock on the file now. A missing file is not locked. Asking is taking it for a moment, at once: a
 * child that is forked meanwhile would have it until it executes its program.
 */
export function isLocked(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return false;
  }
  try {
    return !tryFlock(file, 'exclusive');
  } finally {
    // Closing gives back a lock that was taken by asking.
    closeSync(file);
  }
}

/** `process 123 (hull)` as far as the file's content tells, or undefined. */
export function lockOwner(path: string): string | undefined {
  try {
    const pid = Number(readFileSync(path, 'utf8').trim());
    if (!Number.isInteger(pid) || pid <= 0) return undefined;
    return `process ${pid} (${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()})`;
  } catch {
    return undefined;
  }
}

/** Everybody who has a lock on the file by /proc/locks: `process 123 (hull)`, or `another process`. proc_locks(5) */
export function lockHolders(path: string): string {
  try {
    const { ino } = statSync(path);
    const pids = readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      // `1: FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF`; a waiting one has `->` in second place.
      .filter((words) => words[1] === 'FLOCK' && words[5]?.split(':')[2] === String(ino))
      .map((words) => Number(words[4]));
    return pids.map(describeProcess).join(', ') || 'another process';
  } catch {
    return 'another process';
  }
}

function describeProcess(pid: number): string {
  try {
    return `process ${pid} (${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()})`;
  } catch {
    return `process ${pid}`;
  }
}
