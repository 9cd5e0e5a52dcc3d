import { openBtrfs } from './btrfs/btrfs-driver.ts';
import { openDevicemapper } from './devicemapper/devicemapper-driver.ts';
import type { DriverOptions, StorageDriver } from './driver.ts';
import { openOverlay } from './overlay/overlay-driver.ts';
import type { DriverInternals } from './recorded-driver.ts';
import { openVfs } from './vfs/vfs-driver.ts';

export type OpenStorage = (options: DriverOptions, internals?: DriverInternals) => Promise<StorageDriver>;

/** In the order they are tried: the best first, the one that works everywhere last. */
export const drivers: ReadonlyMap<string, OpenStorage> = new Map<string, OpenStorage>([
  ['overlay', openOverlay],
  ['btrfs', openBtrfs],
  ['devicemapper', openDevicemapper],
  ['vfs', openVfs],
]);
