import { probeDeviceMapper } from '../../kernel/device-mapper.ts';
import { probeText } from '../../kernel/probe.ts';
import { describeStorageDriver } from '../conformance.ts';
import { needsRoot } from '../conformance-place.ts';
import { describePool } from './pool-conformance.ts';
import { describePoolRoom } from './pool-room-conformance.ts';

const probe = await probeDeviceMapper(['thin-pool', 'thin']);
const unless = needsRoot() ?? (probeText(probe) || undefined);
// Small, so that it fits into a guest's disk and mkfs is quick; the layout is the same.
const options = new Map([
  ['dm.loopdatasize', '2G'],
  ['dm.loopmetadatasize', '64M'],
  ['dm.basesize', '1G'],
]);

describeStorageDriver('devicemapper', { chain: 12, options, unless });
describePool(options, unless);
describePoolRoom(options, unless);
