import type { DriverOptions, StorageDriver } from './driver.ts';
import type { DriverInternals } from './recorded-driver.ts';

export type OpenStorage = (options: DriverOptions, internals?: DriverInternals) => Promise<StorageDriver>;

/** All there are, by name. A daemon uses one, and loads no other. */
export const drivers: ReadonlyMap<string, OpenStorage> = new Map<string, OpenStorage>([
  ['overlay', async (...args) => (await import('./overlay/overlay-driver.ts')).openOverlay(...args)],
  ['aufs', async (...args) => (await import('./aufs/aufs-driver.ts')).openAufs(...args)],
  ['btrfs', async (...args) => (await import('./btrfs/btrfs-driver.ts')).openBtrfs(...args)],
  ['zfs', async (...args) => (await import('./zfs/zfs-driver.ts')).openZfs(...args)],
  [
    'devicemapper',
    async (...args) => (await import('./devicemapper/devicemapper-driver.ts')).openDevicemapper(...args),
  ],
  ['vfs', async (...args) => (await import('./vfs/vfs-driver.ts')).openVfs(...args)],
]);
