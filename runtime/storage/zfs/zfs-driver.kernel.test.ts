import { tmpdir } from 'node:os';
import { describeStorageDriver } from '../conformance.ts';
import { describeQuota } from '../quota-conformance.ts';
import { zfsPlace } from './zfs-conformance-place.ts';

const { dataset, folder, unless } = await zfsPlace();
describeStorageDriver('zfs', { parent: folder, unless, chain: 24 });
describeQuota('zfs', { parent: folder, unless });
const options = new Map([['zfs.fsname', dataset]]);
describeQuota('zfs', { parent: tmpdir(), options, on: 'a dataset that is named', unless });
