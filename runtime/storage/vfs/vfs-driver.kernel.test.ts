import { describeStorageDriver } from '../conformance.ts';
import { needsRoot } from '../conformance-place.ts';

describeStorageDriver('vfs', { chain: 20, unless: needsRoot() });
