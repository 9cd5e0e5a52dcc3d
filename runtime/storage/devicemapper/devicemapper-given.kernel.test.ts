import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { run } from '../../base/command.ts';
import { describeStorageDriver } from '../conformance.ts';
import { whyNoPool } from './pool-fixture.ts';

/*
 * The pool on two block devices that the host gives: disks to spare where SEATRIAL_SPARE_DISKS names two (`npm run test:guests --
 * --disk 2G --disk 128M`), else loop devices of this test.
 */
const unless = await whyNoPool();
const [data, metadata] = (process.env['SEATRIAL_SPARE_DISKS'] ?? '').split(',').filter(Boolean);
const spare = data !== undefined && metadata !== undefined;
const options = new Map([['dm.basesize', '1G']]);

if (unless === undefined) {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hull-given-'));
    options.set('dm.datadev', spare ? data : await loopDevice('data', 2048));
    options.set('dm.metadatadev', spare ? metadata : await loopDevice('metadata', 64));
    await run('dd', [
      'if=/dev/zero',
      `of=${options.get('dm.metadatadev')}`,
      'bs=4096',
      'count=1',
      'conv=fsync',
    ]);
  });
  afterAll(async () => {
    if (!spare)
      for (const key of ['dm.datadev', 'dm.metadatadev'])
        await run('losetup', ['--detach', options.get(key) ?? '']);
    await rm(folder, { recursive: true, force: true });
  });

  async function loopDevice(name: string, mebibytes: number): Promise<string> {
    const path = join(folder, name);
    await using file = await open(path, 'wx');
    await file.truncate(mebibytes * 1024 ** 2);
    return (await run('losetup', ['--find', '--show', path])).stdout.trim();
  }
}

const title = `devicemapper on given ${spare ? 'disks' : 'loop devices'}`;
describeStorageDriver('devicemapper', { title, chain: 12, options, unless });
