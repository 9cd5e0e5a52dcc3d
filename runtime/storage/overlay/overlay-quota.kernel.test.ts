import { tmpdir } from 'node:os';
import { expect, it, onTestFinished } from 'vitest';
import { loopFileSystem } from '../conformance-loop.ts';
import { makePlace, needsRoot } from '../conformance-place.ts';
import { describeQuota } from '../quota-conformance.ts';

const xfs = await loopFileSystem('xfs', { mebibytes: 512, mount: ['prjquota'] });
const ext4 = await loopFileSystem('ext4', {
  mebibytes: 256,
  mkfs: ['-O', 'project,quota', '-E', 'quotatype=prjquota'],
  mount: ['prjquota'],
});

describeQuota('overlay', { parent: xfs.folder, unless: xfs.unless, on: 'xfs' });
describeQuota('overlay', { parent: ext4.folder, unless: ext4.unless, on: 'ext4' });

const noRoot = needsRoot();
it.skipIf(noRoot !== undefined)(
  'a file system without project quotas is named, and nothing is made',
  async () => {
    const place = await makePlace('overlay', new Map(), tmpdir());
    onTestFinished(() => place.delete());
    const driver = await place.open();
    await expect(driver.create('layer', undefined, { size: 1024 ** 2 })).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringMatching(
        /driver overlay lacks project quotas on \w+ at ".*": wanted xfs or ext4/,
      ),
    });
    expect(await driver.list()).toEqual([]);
    await driver.close();
  },
);
