import { tmpdir } from 'node:os';
import { probeText } from '../../kernel/probe.ts';
import { describeStorageDriver } from '../conformance.ts';
import { needsRoot } from '../conformance-place.ts';
import { probeAufs } from './aufs-driver.ts';

const unless = needsRoot() ?? (probeText(await probeAufs(tmpdir())) || undefined);
// Of a name aufs keeps thirteen bytes for whiteouts and their temporary names (AUFS_MAX_NAMELEN).
describeStorageDriver('aufs', { unless, longestName: 242 });
