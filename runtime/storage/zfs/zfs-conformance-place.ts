import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { run } from '../../base/command.ts';
import { needsRoot } from '../conformance-place.ts';
import { lacksZfs } from './zfs-driver.ts';

export interface ZfsPlace {
  /** A dataset of the test's own. */
  readonly dataset: string;
  /** Where it is mounted. */
  readonly folder: string;
  /** Why there is none, or undefined. */
  readonly unless: string | undefined;
}

/**
 * For the tests of one file, in a pool of their own: on a disk to spare where SEATRIAL_SPARE_DISKS names one (`npm run test:guests --
 * --drivers zfs --disk 2G`), else on a file. HULL_TEST_ZFS=tank/test: in that dataset instead.
 */
export async function zfsPlace(): Promise<ZfsPlace> {
  const missing = await lacksZfs();
  const unless = needsRoot() ?? (missing && `missing is ${missing}`);
  const given = process.env['HULL_TEST_ZFS'];
  const pool = `hull-test-${process.pid}`;
  const dataset = `${given ?? pool}/conformance`;
  const folder = join(tmpdir(), pool);
  if (unless === undefined) {
    let scratch: string;
    beforeAll(async () => {
      scratch = await mkdtemp(join(tmpdir(), 'hull-zfs-'));
      if (given === undefined) {
        const device = spareDisk() ?? (await sparseFile(join(scratch, 'pool'), 2048));
        await run('zpool', ['create', '-f', '-o', 'cachefile=none', '-m', 'none', pool, device]);
      }
      await run('zfs', ['create', '-o', `mountpoint=${folder}`, dataset]);
    });
    afterAll(async () => {
      await run('zfs', ['destroy', '-r', dataset]);
      if (given === undefined) await run('zpool', ['destroy', pool]);
      for (const path of [folder, scratch]) await rm(path, { recursive: true, force: true });
    });
  }
  return { dataset, folder, unless };
}

function spareDisk(): string | undefined {
  return (process.env['SEATRIAL_SPARE_DISKS'] ?? '').split(',').find(Boolean);
}

async function sparseFile(path: string, mebibytes: number): Promise<string> {
  await using file = await open(path, 'wx');
  await file.truncate(mebibytes * 1024 ** 2);
  return path;
}
