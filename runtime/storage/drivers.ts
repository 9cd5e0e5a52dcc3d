import { openAufs } from './aufs/aufs-driver.ts';
import { openBtrfs } from './btrfs/btrfs-driver.ts';
import { openDevicemapper } from './devicemapper/devicemapper-driver.ts';
import type { DriverOptions, StorageDriver } from './driver.ts';
import { openOverlay } from './overlay/overlay-driver.ts';
import type { DriverInternals } from './recorded-driver.ts';
import { openVfs } from './vfs/vfs-driver.ts';
import { openZfs } from './zfs/zfs-driver.ts';

export type OpenStorage = (options: DriverOptions, internals?: DriverInternals) => Promise<StorageDriver>;

/** All there are, by name. */
export const drivers: ReadonlyMap<string, OpenStorage> = new Map<string, OpenStorage>([
  ['overlay', openOverlay],
  ['aufs', openAufs],
  ['btrfs', openBtrfs],
  ['zfs', openZfs],
  ['devicemapper', openDevicemapper],
  ['vfs', openVfs],
]);
