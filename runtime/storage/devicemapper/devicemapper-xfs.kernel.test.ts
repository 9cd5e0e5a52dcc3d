import { describeStorageDriver } from '../conformance.ts';
import { smallPool, whyNoPool } from './pool-fixture.ts';
import { describeFullXfs } from './xfs-conformance.ts';

const options = new Map([...smallPool, ['dm.fs', 'xfs']]);
const unless = await whyNoPool('mkfs.xfs');

describeStorageDriver('devicemapper', { title: 'devicemapper on xfs', chain: 12, options, unless });
describeFullXfs(options, unless);
