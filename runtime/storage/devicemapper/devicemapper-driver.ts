import { realpath } from 'node:fs/promises';
import { removeTemporaries } from '../../base/atomic-file.ts';
import { HullError } from '../../base/errors.ts';
import { probeDeviceMapper } from '../../kernel/device-mapper.ts';
import { probeText } from '../../kernel/probe.ts';
import type { DriverOptions, StorageDriver } from '../driver.ts';
import { isOnPath } from '../on-path.ts';
import { type DriverInternals, RecordedDriver } from '../recorded-driver.ts';
import { DevicemapperBackend } from './devicemapper-backend.ts';
import { mkfsProgram } from './make-base.ts';
import {
  checkAgainstPool,
  type DevicemapperOptions,
  type PoolSettings,
  parseDevicemapperOptions,
  readPoolSettings,
  writePoolSettings,
} from './settings.ts';

/**
 * Layers as thin snapshots of block devices, each with a file system of its own.
 *
 *     <home>/pool.json          what the pool was made with
 *     <home>/data, metadata     sparse files, attached to loop devices while the pool is active; or given devices; or a given pool
 *     <home>/records/<id>.json  layer → thin device number and size, and the pool transaction that makes it
 *
 * Device 0 has the empty file system that layers without a parent are snapshots of. A layer's record is on the disk before the
 * pool is told to make its device, so a crash leaves no device without a record; the pool's transaction id is
 * raised after the record says `ready`, so a pool that is older than the records is noticed.
 */
export async function openDevicemapper(
  options: DriverOptions,
  internals?: DriverInternals,
): Promise<StorageDriver> {
  const wanted = parseDevicemapperOptions(options.options);
  await requireDevicemapper(wanted);
  return RecordedDriver.open(
    options,
    async (records) => {
      const home = await realpath(options.home);
      await removeTemporaries(home);
      const found = await readPoolSettings(home);
      const settings: PoolSettings = found ?? { version: 1, state: 'creating', ...wanted.pool };
      checkAgainstPool(wanted.asked, settings);
      const backend = new DevicemapperBackend(home, settings, wanted);
      if (!found) {
        await backend.refuseUnlessNew();
        await writePoolSettings(home, settings);
      }
      await backend.prepare(records);
      return backend;
    },
    internals,
  );
}

async function requireDevicemapper({ pool }: DevicemapperOptions): Promise<void> {
  const probe = await probeDeviceMapper(['thin-pool', 'thin']);
  if (probe.answer !== 'supported') {
    throw new HullError(`Cannot use storage driver devicemapper: ${probeText(probe)}`, {
      kind: 'unsupported',
    });
  }
  const program = mkfsProgram(pool.fs);
  if (await isOnPath(program)) return;
  throw new HullError(`Cannot use storage driver devicemapper: missing is the program ${program}`, {
    kind: 'unsupported',
    hint: `Install it: apt-get install ${pool.fs === 'xfs' ? 'xfsprogs' : 'e2fsprogs'}.`,
  });
}
