import { lstat, mkdir, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { HullError, ifExists } from '../base/errors.ts';

/**
 * Listens on a unix socket that only root may use. A socket file that a dead daemon left is replaced; one that
 * answers, and anything that is no socket, is an error of kind `conflict`.
 */
export async function listenOn(server: Server, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const found = await ifExists(lstat(path));
  if (found && !found.isSocket()) {
    throw new HullError(`Cannot listen on ${JSON.stringify(path)}: it is there and no socket`, {
      kind: 'conflict',
    });
  }
  if (found) {
    if (await answers(path)) {
      throw new HullError(`Cannot listen on ${JSON.stringify(path)}: another process answers there`, {
        kind: 'conflict',
      });
    }
    await rm(path);
  }
  // The mode has to be right from the first moment, not after a chmod.
  const before = process.umask(0o117);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once('error', reject);
    server.listen({ path, backlog: 511 }, resolve);
    await promise;
    server.off('error', reject);
  } finally {
    process.umask(before);
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
