import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../base/errors.ts';
import { parseExitRecord } from './exit-record.ts';
import { runFiles } from './run-dir.ts';
import { reap } from './spawn.ts';
import type { ExitRecord } from './types.ts';

/**
 * Resolves when the container's monitor has left (and is reaped, where it is our child): the exit record, or `lost`
 * when there is none. Works for a monitor of an earlier daemon too; may be called any number of times. Rejects with the
 * signal's reason when it aborts.
 */
export async function watchExit(runDir: string, signal?: AbortSignal): Promise<ExitRecord | 'lost'> {
  const monitor = readMonitorPid(runDir);
  await waitForMonitor(runDir, { ...(signal ? { signal } : {}) });
  if (monitor !== undefined) await waitUntilGone(monitor);
  const bytes = readIfExists(runFiles(runDir).exit);
  return (bytes && parseExitRecord(bytes)) ?? 'lost';
}

/** Of the monitor that was started last in this run folder. */
export function readMonitorPid(runDir: string): number | undefined {
  const bytes = readIfExists(runFiles(runDir).monitor);
  return bytes?.length === 8 ? Number(bytes.readBigInt64LE()) : undefined;
}

function readIfExists(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A monitor that let go of its FIFO is about to end; only then are its lock and mounts free. */
async function waitUntilGone(pid: number): Promise<void> {
  if (await reap(pid)) return;
  while (isMonitor(pid)) await sleep(1);
}

/** Not another process with its number, nor one that has ended and is still to be reaped: that one has let go of all. */
function isMonitor(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('hull-monitor ');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return false;
    throw error;
  }
}

/**
 * Resolves when nobody holds the liveness FIFO any more; at once where there is none. In the background it does not
 * keep Node alive.
 */
export async function waitForMonitor(
  runDir: string,
  { signal, background = false }: { readonly signal?: AbortSignal; readonly background?: boolean } = {},
): Promise<void> {
  signal?.throwIfAborted();
  let fd: number;
  try {
    fd = openSync(runFiles(runDir).alive, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  // A reader that comes after the last writer never sees the end by polling: 0 bytes mean gone, EAGAIN alive.
  try {
    if (readSync(fd, Buffer.alloc(1)) === 0) {
      closeSync(fd);
      return;
    }
  } catch (error) {
    if (codeOf(error) !== 'EAGAIN') {
      closeSync(fd);
      throw error;
    }
  }
  const socket = new Socket({ fd, readable: true, writable: false });
  if (background) socket.unref();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  socket.once('error', reject).once('close', () => resolve());
  socket.resume();
  try {
    await promise;
  } finally {
    signal?.removeEventListener('abort', abort);
    socket.destroy();
  }
}
