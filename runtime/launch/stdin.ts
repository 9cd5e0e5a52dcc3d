import { constants, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { controlCommands, runFiles } from './run-dir.ts';
import { type WindowSize, windowSize } from './window-size.ts';

/**
 * Opens the stdin of a running container that was launched with `openStdin`. Ending the stream does not close stdin for
 * the container: see `closeStdin`. ENXIO or ENOENT (Node's own errors) where nobody reads any more.
 */
export function openStdin(runDir: string): Writable {
  const fd = openSync(runFiles(runDir).stdin, constants.O_WRONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: false, writable: true });
}

/**
 * Tells the monitor to let go of stdin: the container sees end of file once every stream of `openStdin` has been closed
 * too. Nothing happens where the monitor is gone.
 */
export async function closeStdin(runDir: string): Promise<void> {
  await tellMonitor(runDir, Buffer.from(controlCommands.closeStdin));
}

/** Sets the size of a running container's terminal. Nothing happens where it has none, or the monitor is gone. */
export async function resizeContainer(runDir: string, size: WindowSize): Promise<void> {
  await tellMonitor(runDir, Buffer.concat([Buffer.from(controlCommands.resize), windowSize(size)]));
}

/** One write, so that two commands never mix. */
async function tellMonitor(runDir: string, command: Buffer): Promise<void> {
  const control = await open(runFiles(runDir).control, constants.O_WRONLY | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENXIO' || error.code === 'ENOENT') return undefined;
      throw error;
    },
  );
  try {
    await control?.write(command);
  } finally {
    await control?.close();
  }
}
