import { appendFileSync } from 'node:fs';
import { copyFile, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  changeAtRandom,
  listChanges,
  numbers,
  plantPlaces,
  steps,
} from '../../images/tar-writing/changes-suite.ts';
import { attachLoop } from '../../kernel/loop.ts';
import { holdMounts } from '../../launch/hold-mounts.ts';
import { loopFileSystem } from '../conformance-loop.ts';
import { readExt4Tables } from './ext4-tables.ts';
import { makeBaseFileSystem } from './make-base.ts';
import { findSameInodes, overlaps, readBytes } from './same-inodes.ts';

const { unless } = await loopFileSystem('ext4', { mebibytes: 64 });
const mib = 1024 ** 2;

describe.skipIf(unless !== undefined)(
  `inodes of two ext4 file systems${unless ? ` (skipped: ${unless})` : ''}`,
  () => {
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'hull-inodes-'));
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));

    test.each(Object.entries(steps))('%s: the same as by both trees', async (_, change) => {
      await prepare(64 * mib);
      await mounted('child', change);
      await expectSame();
    });

    // Blocks of 1024 bytes, and of 4096 with inodes of 256.
    test.each([64, 64, 64, 64, 600, 600].map((size, seed) => ({ size, seed })))(
      'random changes on $size MiB, seed $seed: the same as by both trees',
      async ({ size, seed }) => {
        await prepare(size * mib);
        const random = numbers(seed);
        for (let mounts = 0; mounts < 3; mounts++) {
          await mounted('child', (root) => {
            for (let count = 0; count < 60; count++) changeAtRandom(root, random);
          });
        }
        expect((await expectSame()).length).toBeGreaterThan(0);
      },
    );

    test('of a copy that nobody wrote to all inodes are the same, and of one that was written to only some', async () => {
      await prepare(64 * mib);
      const inUse = [2, ...Array.from({ length: 12 }, (_, index) => index + 11)];
      expect(await sameOf(inUse)).toEqual(inUse);
      await mounted('child', (root) => appendFileSync(join(root, 'a/1/file'), 'more'));
      const left = await sameOf(inUse);
      expect(left.length).toBeGreaterThan(inUse.length - 6);
      expect(left).not.toEqual(inUse);
    });

    test('a file system that is mounted for writing is not read', async () => {
      await prepare(64 * mib);
      await using loop = await attached('child');
      await using root = await holdMounts([{ type: 'ext4', source: loop.path, target: '', options: [] }]);
      expect(root.path).toMatch(/^\/proc/);
      expect(await loop.tables()).toMatch(/journal/);
    });

    async function prepare(size: number): Promise<void> {
      await using file = await open(join(folder, 'parent'), 'wx');
      await file.truncate(size);
      await makeBaseFileSystem(join(folder, 'parent'), 'ext4', size);
      await mounted('parent', plantPlaces);
      await copyFile(join(folder, 'parent'), join(folder, 'child'));
    }

    async function mounted(name: string, change: (root: string) => void): Promise<void> {
      await using loop = await attached(name);
      await using root = await holdMounts([
        { type: 'ext4', source: loop.path, target: '', options: ['noinit_itable'] },
      ]);
      change(root.path);
    }

    type Attached = Awaited<ReturnType<typeof attached>>;

    async function attached(name: string) {
      const { path, handle } = await attachLoop(join(folder, name));
      return {
        path,
        handle,
        tables: () => readExt4Tables((offset, length) => readBytes(handle, offset, length)),
        [Symbol.asyncDispose]: () => handle.close(),
      };
    }

    async function compared(child: Attached, parent: Attached) {
      const [tables, parentTables] = [await child.tables(), await parent.tables()];
      if (typeof tables === 'string' || typeof parentTables === 'string') throw new Error(`${tables}`);
      return findSameInodes(
        { device: child.handle, tables },
        { device: parent.handle, tables: parentTables },
        [],
      );
    }

    async function sameOf(inodes: readonly number[]): Promise<readonly number[]> {
      await using child = await attached('child');
      await using parent = await attached('parent');
      return inodes.filter(await compared(child, parent));
    }

    async function expectSame(): Promise<readonly string[]> {
      await using child = await attached('child');
      await using parent = await attached('parent');
      const isSame = await compared(child, parent);
      const readOnly = (source: string) =>
        holdMounts([{ type: 'ext4', source, target: '', options: ['ro'] }]);
      await using root = await readOnly(child.path);
      await using below = await readOnly(parent.path);
      const walked = await listChanges(root.path, below.path, undefined);
      expect(await listChanges(root.path, below.path, { kind: 'inodes', isSame })).toEqual(walked);
      return walked;
    }
  },
);

test.each([
  { range: [0, 10], found: [[0, 10]] },
  {
    range: [5, 25],
    found: [
      [5, 10],
      [20, 25],
    ],
  },
  { range: [10, 20], found: [] },
  {
    range: [29, 90],
    found: [
      [29, 30],
      [40, 50],
    ],
  },
  { range: [50, 60], found: [] },
])('ranges in $range', ({ range: [begin = 0, end = 0], found }) => {
  const all = [
    [0, 10],
    [20, 30],
    [40, 50],
  ].map(([from = 0, to = 0]) => ({ begin: from, end: to }));
  expect([...overlaps(all, { begin, end })].map((each) => [each.begin, each.end])).toEqual(found);
});
