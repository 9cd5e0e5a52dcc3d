import { tmpdir } from 'node:os';
import { afterAll, beforeAll } from 'vitest';
import { run } from '../../base/command.ts';
import { probeText } from '../../kernel/probe.ts';
import { describeStorageDriver } from '../conformance.ts';
import { needsRoot } from '../conformance-place.ts';
import { describeQuota } from '../quota-conformance.ts';
import { probeZfs } from './zfs-driver.ts';

// A host with zfs says where the suite may make datasets: HULL_TEST_ZFS=tank/test.
const dataset = process.env['HULL_TEST_ZFS'];
const unless = needsRoot() ?? (probeText(await probeZfs(tmpdir(), dataset)) || undefined);
const options = new Map([['zfs.fsname', `${dataset}/hull-conformance`]]);

if (unless === undefined) {
  beforeAll(() => run('zfs', ['create', '-o', 'mountpoint=none', `${dataset}/hull-conformance`]));
  afterAll(() => run('zfs', ['destroy', `${dataset}/hull-conformance`]));
}
describeStorageDriver('zfs', { options, unless });
describeQuota('zfs', { parent: tmpdir(), options, unless });
