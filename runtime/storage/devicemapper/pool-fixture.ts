import { open } from 'node:fs/promises';
import { probeDeviceMapper } from '../../kernel/device-mapper.ts';
import { probeText } from '../../kernel/probe.ts';
import { needsRoot } from '../conformance-place.ts';
import { isOnPath } from '../on-path.ts';

/** Small, so that it fits into a guest's disk and mkfs is quick; the layout is the same. */
export const smallPool: ReadonlyMap<string, string> = new Map([
  ['dm.loopdatasize', '2G'],
  ['dm.loopmetadatasize', '64M'],
  ['dm.basesize', '1G'],
]);

/** Why there can be no thin pool here, or undefined. */
export async function whyNoPool(program?: string): Promise<string | undefined> {
  if (program !== undefined && !(await isOnPath(program))) return `needs the program ${program}`;
  return needsRoot() ?? (probeText(await probeDeviceMapper(['thin-pool', 'thin'])) || undefined);
}

/** Writes and flushes; rejects where there is no room for it. */
export async function fill(path: string, bytes: number): Promise<void> {
  const block = Buffer.alloc(1024 ** 2, 'x');
  await using file = await open(path, 'w');
  for (let written = 0; written < bytes; written += block.length) await file.write(block);
  await file.sync();
}
