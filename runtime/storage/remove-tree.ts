import { lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { readdir, unlink } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HullError } from '../base/errors.ts';
import { escapeMountPath, isWithin, readMountInfo } from '../kernel/mountinfo.ts';

/**
 * Afterwards the tree is absent. Never crosses a mount: where something is mounted in it, nothing is removed and the
 * error (kind `busy`) names the mount point; a folder on another device stops the removal as well.
 */
export async function removeTree(path: string): Promise<void> {
  const mounted = mountBelow(path);
  if (mounted) throw new HullError(`Cannot remove ${JSON.stringify(path)}: ${mounted}`, { kind: 'busy' });
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return;
  if (stat.isDirectory()) await removeFolder(Buffer.from(path), stat.dev, new Turns());
  else unlinkSync(path);
}

/** `tmpfs is mounted at "/x/y"; unmount it first`, for a mount at or below the path. */
export function mountBelow(path: string): string | undefined {
  const mount = readMountInfo('self', escapeMountPath(path)).find(({ mountPoint }) =>
    isWithin(mountPoint, path),
  );
  return mount && `${mount.type} is mounted at ${JSON.stringify(mount.mountPoint)}; unmount it first`;
}

// Names are bytes: a container may have made ones that are no UTF-8.
async function removeFolder(folder: Buffer, device: number, turns: Turns): Promise<void> {
  const { dev, size } = lstatSync(folder);
  if (dev !== device) {
    throw new HullError(
      `Cannot remove ${JSON.stringify(folder.toString())}: it is on device ${dev}, and the tree is on ${device}`,
      { kind: 'busy' },
    );
  }
  const options = { withFileTypes: true, encoding: 'buffer' } as const;
  for (const entry of size > largeFolder ? await readdir(folder, options) : readdirSync(folder, options)) {
    const path = Buffer.concat([folder, slash, entry.name]);
    if (turns.over()) await nextTurn();
    if (entry.isDirectory()) await removeFolder(path, device, turns);
    else if (lstatSync(path).size > largeFile) await unlink(path);
    else unlinkSync(path);
  }
  rmdirSync(folder);
}

/** To remove a name takes the kernel some microseconds, less than a trip through the thread pool; others have a turn in between. */
class Turns {
  #until = performance.now() + turnMs;

  over(): boolean {
    if (performance.now() < this.#until) return false;
    this.#until = performance.now() + turnMs;
    return true;
  }
}

const turnMs = 2;
/** In bytes: from here on the kernel may take a while. */
const largeFolder = 65536;
const largeFile = 4 * 1024 * 1024;
const slash = Buffer.from('/');
