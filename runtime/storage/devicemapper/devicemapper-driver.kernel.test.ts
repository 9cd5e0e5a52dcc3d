import { describeStorageDriver } from '../conformance.ts';
import { describePool } from './pool-conformance.ts';
import { smallPool, whyNoPool } from './pool-fixture.ts';
import { describeMetadataRoom } from './pool-metadata-conformance.ts';
import { describePoolRoom } from './pool-room-conformance.ts';

const unless = await whyNoPool();

describeStorageDriver('devicemapper', { chain: 12, options: smallPool, unless });
describePool(smallPool, unless);
describePoolRoom(smallPool, unless);
describeMetadataRoom(smallPool, unless);
