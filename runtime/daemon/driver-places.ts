import { loopFileSystem } from '../storage/conformance-loop.ts';
import { whyNoDaemon } from './daemon-fixture.ts';

/** A driver that a daemon can be tried with, and where its roots are to be. */
export interface DriverPlace {
  readonly driver: string;
  /** Default: the machine's temporary folder. */
  readonly place?: string;
  /** Why it cannot be tried here, or ''. */
  readonly why: string;
}

/** For tests that are the same for each driver that any machine may have: btrfs on a file system of its own, while the file's tests run. */
export async function driverPlaces(): Promise<readonly DriverPlace[]> {
  const why = whyNoDaemon();
  const btrfs = await loopFileSystem('btrfs', { mebibytes: 512 });
  return [
    { driver: 'overlay', why },
    { driver: 'vfs', why },
    { driver: 'btrfs', place: btrfs.folder, why: why || (btrfs.unless ?? '') },
  ];
}
