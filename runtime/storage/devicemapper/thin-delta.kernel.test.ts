import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { run } from '../../base/command.ts';
import { numbers } from '../../images/tar-writing/changes-suite.ts';
import { isOnPath } from '../on-path.ts';
import { probeThinDelta, readSameBlocks } from './thin-delta.ts';

const blockSize = 65_536;
const lacking = (await isOnPath('thin_restore')) ? undefined : 'thin_restore is not installed';
const probe = await probeThinDelta();
const reason = lacking ?? ('why' in probe ? probe.why : undefined);

it.skipIf(reason !== undefined).each([1, 2, 3, 4, 5, 6, 7, 8])(
  `the program tells of devices with mappings by chance, seed %d, what they share${reason ? ` (skipped: ${reason})` : ''}`,
  async (seed) => {
    const folder = await mkdtemp(join(tmpdir(), 'hull-delta-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const [left, right] = twoDevices(numbers(seed));
    const metadata = join(folder, 'metadata');
    await writeFile(join(folder, 'xml'), metadataOf([left, right]));
    await using file = await open(metadata, 'w');
    await file.truncate(4 * 1024 ** 2);
    await run('thin_restore', ['-i', join(folder, 'xml'), '-o', metadata]);
    const ranges = await readSameBlocks({ metadata, snapshot: false, left: 1, right: 2, blockSize });
    const shared = [...left].flatMap(([block, data]) => (right.get(block) === data ? [block] : []));
    const told = ranges.flatMap(({ begin, end }) =>
      Array.from({ length: (end - begin) / blockSize }, (_, index) => begin / blockSize + index),
    );
    // 0.9 does not tell all of them; what it does tell must be true.
    expect(told.filter((block) => !shared.includes(block))).toEqual([]);
    expect(told.length).toBeGreaterThan(shared.length / 2);
  },
);

/** By block of the device the one of the pool: the second has written anew what the first had, here and there. */
function twoDevices(random: (below: number) => number): readonly [Map<number, number>, Map<number, number>] {
  const left = new Map<number, number>();
  const right = new Map<number, number>();
  let fresh = 10_000;
  for (let block = 0; block < 2000; ) {
    const length = 1 + random(30);
    const kind = random(6);
    for (let count = 0; count < length; count++, block++) {
      // Neighbours in the device are neighbours in the pool as long as nobody writes to them.
      if (kind !== 0 && kind !== 1) left.set(block, block);
      if (kind !== 0 && kind !== 2) right.set(block, kind === 3 || kind === 1 ? fresh++ : block);
    }
  }
  return [left, right];
}

function metadataOf(devices: readonly ReadonlyMap<number, number>[]): string {
  const lines = devices.flatMap((mappings, index) => [
    `<device dev_id="${index + 1}" mapped_blocks="${mappings.size}" transaction="0" creation_time="0" snap_time="0">`,
    ...Array.from(
      mappings,
      ([block, data]) => `<single_mapping origin_block="${block}" data_block="${data}" time="0"/>`,
    ),
    '</device>',
  ]);
  const header = '<superblock uuid="" time="0" transaction="0" data_block_size="128" nr_data_blocks="65536">';
  return [header, ...lines, '</superblock>'].join('\n');
}
