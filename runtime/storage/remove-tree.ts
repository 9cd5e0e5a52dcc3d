import { lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import { HullError, ifExists } from '../base/errors.ts';
import { isWithin, readMountInfo } from '../kernel/mountinfo.ts';

/**
 * Afterwards the tree is absent. Never crosses a mount: where something is mounted in it, nothing is removed and the
 * error (kind `busy`) names the mount point; a folder on another device stops the removal as well.
 */
export async function removeTree(path: string): Promise<void> {
  const mounted = mountBelow(path);
  if (mounted) throw new HullError(`Cannot remove ${JSON.stringify(path)}: ${mounted}`, { kind: 'busy' });
  const stat = await ifExists(lstat(path));
  if (!stat) return;
  if (stat.isDirectory()) await removeFolder(Buffer.from(path), stat.dev);
  else await unlink(path);
}

/** `tmpfs is mounted at "/x/y"; unmount it first`, for a mount at or below the path. */
export function mountBelow(path: string): string | undefined {
  const mount = readMountInfo('self').find(({ mountPoint }) => isWithin(mountPoint, path));
  return mount && `${mount.type} is mounted at ${JSON.stringify(mount.mountPoint)}; unmount it first`;
}

// Names are bytes: a container may have made ones that are no UTF-8.
async function removeFolder(folder: Buffer, device: number): Promise<void> {
  const { dev } = await lstat(folder);
  if (dev !== device) {
    throw new HullError(
      `Cannot remove ${JSON.stringify(folder.toString())}: it is on device ${dev}, and the tree is on ${device}`,
      { kind: 'busy' },
    );
  }
  const folders: Buffer[] = [];
  const files: Buffer[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true, encoding: 'buffer' })) {
    const path = Buffer.concat([folder, slash, entry.name]);
    (entry.isDirectory() ? folders : files).push(path);
  }
  // A few at a time: libuv has four threads, and a layer may have 100 000 files in one folder.
  for (let start = 0; start < files.length; start += 32) {
    await Promise.all(files.slice(start, start + 32).map((file) => unlink(file)));
  }
  for (const child of folders) await removeFolder(child, device);
  await rmdir(folder);
}

const slash = Buffer.from('/');
