import { describeStorageDriver } from '../conformance.ts';
import { needsRoot } from '../conformance-place.ts';

describeStorageDriver('overlay', { unless: needsRoot() });
