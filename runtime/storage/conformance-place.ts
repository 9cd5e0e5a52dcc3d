import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { readMountNamespaces } from '../kernel/mount-namespaces.ts';
import type { LayerId, StorageDriver } from './driver.ts';
import { drivers } from './drivers.ts';
import type { DriverInternals } from './recorded-driver.ts';

/** Where one run of the conformance suite keeps its layers. */
export interface Place {
  readonly driver: string;
  /** The folder that it is a folder of. */
  readonly parent: string;
  readonly home: string;
  readonly runDir: string;
  readonly options: ReadonlyMap<string, string>;
  open(internals?: DriverInternals): Promise<StorageDriver>;
  /** Another process with this storage open: driver-child.ts. */
  daemon(point: string, verb: string, ...layers: LayerId[]): ChildProcessByStdio<null, Readable, Readable>;
  /** What the host still has of it: mounts in any namespace, loop and device-mapper devices. */
  residue(): Promise<readonly string[]>;
  delete(): Promise<void>;
}

/** Why the suite cannot run as this user, or undefined for root. */
export function needsRoot(): string | undefined {
  const uid = process.getuid?.();
  return uid === 0 ? undefined : `mounting needs root, and this is user ${uid}`;
}

/** Shrunk waits: a test that expects "busy" is not to take seconds. */
const timings = { busyMs: 300, firstPauseMs: 10, longestPauseMs: 100, laterMs: 100 };

export async function makePlace(
  driver: string,
  options: ReadonlyMap<string, string>,
  parent: string,
): Promise<Place> {
  const folder = await mkdtemp(join(parent, `hull-${driver}-`));
  const [home, runDir] = [join(folder, 'data', driver), join(folder, 'exec', driver)];
  const openDriver = drivers.get(driver);
  if (!openDriver) throw new Error(`no driver ${driver}`);
  const before = new Set(await mappedDevices());
  return {
    driver,
    parent,
    home,
    runDir,
    options,
    open: (internals = {}) => openDriver({ home, runDir, options }, { timings, ...internals }),
    daemon: (point, verb, ...layers) => {
      const script = fileURLToPath(new URL('./driver-child.ts', import.meta.url));
      const args = [script, driver, home, runDir, JSON.stringify([...options]), point, verb, ...layers];
      return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    },
    residue: async () => [
      ...readMountNamespaces(folder).flatMap(({ inode, mounts }) =>
        mounts.map(({ mountPoint }) => `mount ${mountPoint} in namespace ${inode}`),
      ),
      ...(await loopsBelow(folder)),
      ...(await mappedDevices()).filter((name) => !before.has(name)).map((name) => `device ${name}`),
    ],
    delete: () => rm(folder, { recursive: true, force: true }),
  };
}

async function loopsBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir('/sys/block')) {
    const file = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '');
    if (file.startsWith(folder)) found.push(`loop device ${name} on ${file.trim()}`);
  }
  return found;
}

async function mappedDevices(): Promise<string[]> {
  const blocks = (await readdir('/sys/block')).filter((name) => name.startsWith('dm-'));
  return Promise.all(
    blocks.map(async (name) => (await readFile(`/sys/block/${name}/dm/name`, 'utf8')).trim()),
  );
}
