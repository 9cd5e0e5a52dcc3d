import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ifExists } from '../base/errors.ts';
import type { Device } from '../base/oci.ts';

/** Every device node below the host's /dev, without terminals and what has file systems of its own there. */
export async function hostDevices(folder = '/dev'): Promise<readonly Device[]> {
  const entries = (await ifExists(readdir(folder))) ?? [];
  const found = await Promise.all(
    entries.map(async (name): Promise<readonly Device[]> => {
      const path = join(folder, name);
      if (leftOut.has(path)) return [];
      const info = await ifExists(lstat(path));
      if (info?.isDirectory()) return await hostDevices(path);
      const device = info && deviceOf(path, info);
      return device ? [device] : [];
    }),
  );
  return found.flat();
}

/** The node as a specification has it, for a place in the container; undefined for what is no device. */
export function deviceOf(path: string, info: Stats): Device | undefined {
  if (!info.isCharacterDevice() && !info.isBlockDevice()) return undefined;
  return {
    type: info.isBlockDevice() ? 'b' : 'c',
    path,
    ...numbersOf(info.rdev),
    fileMode: info.mode & 0o777,
    uid: info.uid,
    gid: info.gid,
  };
}

/** glibc's encoding of dev_t: makedev(3). */
function numbersOf(rdev: number): { readonly major: number; readonly minor: number } {
  const device = BigInt(rdev);
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    minor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}

const leftOut: ReadonlySet<string> = new Set([
  '/dev/pts',
  '/dev/shm',
  '/dev/mqueue',
  '/dev/fd',
  '/dev/hugepages',
  '/dev/console',
  '/dev/ptmx',
  ...['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `/dev/${name}`),
]);
