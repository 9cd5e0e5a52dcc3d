import { probeDeviceMapper } from '../../kernel/device-mapper.ts';
import { probeText } from '../../kernel/probe.ts';
import { describeStorageDriver } from '../conformance.ts';
import { needsRoot } from '../conformance-place.ts';

const probe = await probeDeviceMapper(['thin-pool', 'thin']);

describeStorageDriver('devicemapper', {
  chain: 12,
  // Small, so that it fits into a guest's disk and mkfs is quick; the layout is the same.
  options: new Map([
    ['dm.loopdatasize', '2G'],
    ['dm.loopmetadatasize', '64M'],
    ['dm.basesize', '1G'],
  ]),
  unless: needsRoot() ?? (probeText(probe) || undefined),
});
