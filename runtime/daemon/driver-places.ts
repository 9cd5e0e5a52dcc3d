import { loopFileSystem } from '../storage/conformance-loop.ts';
import { smallPool, whyNoPool } from '../storage/devicemapper/pool-fixture.ts';
import { whyNoDaemon } from './daemon-fixture.ts';

/** A driver that a daemon can be tried with, and where its roots are to be. */
export interface DriverPlace {
  readonly driver: string;
  /** Default: the machine's temporary folder. */
  readonly place?: string;
  /** For the daemon. */
  readonly options?: readonly string[];
  /** Why it cannot be tried here, or ''. */
  readonly why: string;
}

/** `HULL_TEST_DRIVER=btrfs vitest run --project kernel runtime/build runtime/daemon`: all suites on this driver. */
const chosen = process.env['HULL_TEST_DRIVER'];

/** Where a suite runs that is the same on every driver. */
export const usualPlace: DriverPlace = await placeFor(chosen ?? 'overlay');

/** For tests that are the same for each driver that any machine may have. */
export async function driverPlaces(
  names: readonly string[] = ['overlay', 'vfs', 'btrfs'],
): Promise<readonly DriverPlace[]> {
  return chosen === undefined ? await Promise.all(names.map(placeFor)) : [usualPlace];
}

async function placeFor(driver: string): Promise<DriverPlace> {
  const why = whyNoDaemon();
  switch (driver) {
    case 'btrfs': {
      const { folder, unless = '' } = await loopFileSystem('btrfs', { mebibytes: 512 });
      return { driver, place: folder, why: why || unless };
    }
    case 'devicemapper': {
      const options = [...smallPool].flatMap(([name, value]) => ['--storage-opt', `${name}=${value}`]);
      return { driver, options, why: why || ((await whyNoPool()) ?? '') };
    }
    default:
      return { driver, why };
  }
}
