import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { coveringMount, readMountInfo } from '../kernel/mountinfo.ts';
import { holdMounts } from '../launch/hold-mounts.ts';
import { stagedRoot } from '../launch/mount-steps.ts';
import { describeContents } from './conformance-contents.ts';
import { makePlace, type Place } from './conformance-place.ts';
import type { LayerId, StorageDriver } from './driver.ts';
import { withRoot } from './with-root.ts';

export interface ConformanceOptions {
  /** `--storage-opt` of the driver under test. */
  readonly options?: ReadonlyMap<string, string>;
  /** Layers of the deep chain. Default 64. */
  readonly chain?: number;
  /** A folder on the file system that is meant. Default: the system's temporary one. */
  readonly parent?: string;
  /** Why the driver cannot be tried here, from a probe; the whole suite is then skipped, saying so. */
  readonly unless?: string | undefined;
  /** A test is left out only with the reason in words, which is shown in its title. */
  readonly skip?: readonly { readonly reason: string; readonly tests: readonly string[] }[];
}

/** What a test of the suite gets. */
export interface Subject {
  readonly driver: () => StorageDriver;
  readonly chain: number;
  /** Creates the layer; it is removed again when the test ends, children first. */
  layer(id: LayerId, parent?: LayerId, fill?: (root: string) => Promise<void>): Promise<void>;
  see<T>(id: LayerId, use: (root: string) => Promise<T>): Promise<T>;
  test(title: string, body: () => Promise<void>): void;
}

const minute = 60_000;

/**
 * What every storage driver promises (driver.ts), tried on a real kernel as root.
 *
 * @example
 * describeStorageDriver('overlay', { chain: 64 });
 */
export function describeStorageDriver(
  name: string,
  { options = new Map(), chain = 64, parent = tmpdir(), unless, skip = [] }: ConformanceOptions = {},
): void {
  const title = `storage driver ${name}`;
  describe.skipIf(unless !== undefined)(unless ? `${title} (skipped: ${unless})` : title, () => {
    const opened: { place?: Place; driver?: StorageDriver } = {};
    const place = () => present(opened.place);
    const driver = () => present(opened.driver);
    const reopen = async () => {
      opened.driver = await place().open();
    };

    beforeAll(async () => {
      opened.place = await makePlace(name, options, parent);
      await reopen();
    }, 5 * minute);

    afterAll(async () => {
      await opened.driver?.close().catch(() => undefined);
      await opened.place?.delete();
    }, minute);

    const subject: Subject = {
      driver,
      chain,
      async layer(id, parentId, fill) {
        // Last made, first removed: vitest runs these in reverse order.
        onTestFinished(() => driver().remove(id));
        await driver().create(id, parentId);
        if (fill) await withRoot(driver(), id, fill);
      },
      see: (id, use) => withRoot(driver(), id, use),
      test(title, body) {
        const reason = skip.find(({ tests }) => tests.includes(title))?.reason;
        it.skipIf(reason !== undefined)(reason ? `${title} (skipped: ${reason})` : title, body, 3 * minute);
      },
    };
    const { layer, see, test } = subject;

    describeContents(subject);

    test('an id that exists is refused', async () => {
      await layer('once');
      await expect(driver().create('once', undefined)).rejects.toMatchObject({ kind: 'conflict' });
      expect(await driver().list()).toContain('once');
    });

    test('a parent that does not exist is refused, and nothing is made', async () => {
      await expect(driver().create('orphan', 'nobody')).rejects.toMatchObject({ kind: 'not-found' });
      expect(await driver().list()).not.toContain('orphan');
    });

    test('an id that could be a path is refused', async () => {
      for (const id of ['', '.', '..', '../x', 'a/b', '-rf', 'a\0b', 'x'.repeat(129)]) {
        await expect(driver().create(id, undefined)).rejects.toMatchObject({ kind: 'invalid' });
      }
    });

    test('a long id with every allowed sign works', async () => {
      const id = `a_${'B.c-9'.repeat(25)}`;
      await layer(id, undefined, (root) => writeFile(join(root, 'file'), 'x'));
      expect(await see(id, (root) => readdir(root))).toEqual(['file']);
    });

    test('a layer that does not exist cannot be acquired, but released and removed', async () => {
      await expect(driver().acquire('nobody')).rejects.toMatchObject({ kind: 'not-found' });
      await driver().release('nobody');
      await driver().remove('nobody');
    });

    test('remove makes absent, also the second time', async () => {
      await driver().create('goner', undefined);
      await driver().remove('goner');
      expect(await driver().list()).not.toContain('goner');
      await driver().remove('goner');
      await driver().create('goner', undefined);
      await driver().remove('goner');
    });

    test('a parent with children is not removed; without them it is', async () => {
      await layer('family');
      await layer('kid', 'family');
      await expect(driver().remove('family')).rejects.toMatchObject({
        kind: 'conflict',
        message: expect.stringContaining('kid'),
      });
      await driver().remove('kid');
      await driver().remove('family');
      expect(await driver().list()).toEqual([]);
    });

    test('acquire and release may be called again', async () => {
      await layer('again');
      const first = await driver().acquire('again');
      expect(await driver().acquire('again')).toEqual(first);
      await driver().release('again');
      await driver().release('again');
    });

    test('a mounted root is refused to a second user, who learns of the first', async () => {
      await layer('held');
      const { mounts, lockPath } = await driver().acquire('held');
      const held = await holdMounts(mounts, { lockPath });
      try {
        for (const verb of ['acquire', 'release', 'remove'] as const) {
          await expect(driver()[verb]('held')).rejects.toMatchObject({
            kind: 'busy',
            message: expect.stringContaining(`process ${held.pid} `),
          });
        }
      } finally {
        await held[Symbol.asyncDispose]();
      }
      await driver().release('held');
      expect(await see('held', (root) => readdir(root))).toEqual([]);
    });

    test('a process that stays in the mount namespace keeps the layer busy and is named', async () => {
      await layer('leaked', undefined, (root) => writeFile(join(root, 'file'), 'x'));
      await layer('leaked-child', 'leaked');
      const { mounts, lockPath } = await driver().acquire('leaked-child');
      const held = await holdMounts(mounts, { lockPath });
      const leak = spawn('nsenter', ['--target', String(held.pid), '--mount', 'sleep', '1000'], {
        stdio: 'ignore',
      });
      const ended = once(leak, 'exit');
      try {
        await becomes(leak.pid, 'sleep');
        await held[Symbol.asyncDispose]();
        for (const verb of ['acquire', 'release', 'remove'] as const) {
          await expect(driver()[verb]('leaked-child')).rejects.toMatchObject({
            kind: 'busy',
            message: expect.stringContaining(`process ${leak.pid} (sleep)`),
          });
        }
        expect(await driver().list()).toContain('leaked-child');
      } finally {
        leak.kill('SIGKILL');
        await ended;
      }
      await driver().release('leaked-child');
      expect(await see('leaked-child', (root) => readdir(root))).toEqual(['file']);
    });

    test('an open file that pins the layer is named, where it pins', async () => {
      await layer('pinned-base', undefined, (root) => writeFile(join(root, 'file'), 'x'));
      await layer('pinned', 'pinned-base');
      const { mounts, lockPath } = await driver().acquire('pinned');
      const held = await holdMounts(mounts, { lockPath });
      const pin = spawn('sh', ['-c', 'exec sleep 1000 <"$1"', 'sh', `${held.path}/file`], {
        stdio: 'ignore',
      });
      const ended = once(pin, 'exit');
      try {
        await becomes(pin.pid, 'sleep');
        // By mountinfo: stat tells each btrfs subvolume as a device of its own.
        const seen = readMountInfo(held.pid).findLast(({ mountPoint }) => mountPoint === stagedRoot);
        const home = coveringMount(readMountInfo('self'), place().home);
        const ownFileSystem = seen?.major !== home?.major || seen?.minor !== home?.minor;
        await held[Symbol.asyncDispose]();
        const refused = driver().capabilities.hostWide
          ? (['release', 'acquire', 'remove'] as const)
          : ownFileSystem
            ? (['acquire'] as const)
            : [];
        if (refused.length > 0) {
          for (const verb of refused) {
            await expect(driver()[verb]('pinned')).rejects.toMatchObject({
              kind: 'busy',
              message: expect.stringContaining(`process ${pin.pid} (sleep) has`),
            });
          }
        } else {
          await driver().release('pinned');
        }
      } finally {
        pin.kill('SIGKILL');
        await ended;
      }
      await driver().release('pinned');
      expect(await see('pinned', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('x');
    });

    test('a restart finds every layer as it was', async () => {
      await layer('lasting', undefined, (root) => writeFile(join(root, 'file'), 'kept'));
      await layer('lasting-child', 'lasting');
      await driver().close();
      await reopen();
      expect(await driver().reconcile(new Set())).toEqual([]);
      expect([...(await driver().list())].sort()).toEqual(['lasting', 'lasting-child']);
      expect(await see('lasting-child', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('kept');
    });

    test('a second daemon on the same storage is refused', async () => {
      await expect(place().open()).rejects.toMatchObject({
        kind: 'conflict',
        message: expect.stringContaining(`process ${process.pid} `),
      });
    });

    test('an unknown option is refused by name', async () => {
      const wrong = await makePlace(name, new Map([['dm.nonsense', '1']]), parent);
      onTestFinished(() => wrong.delete());
      await expect(wrong.open()).rejects.toMatchObject({
        kind: 'invalid',
        message: expect.stringContaining('dm.nonsense'),
      });
    });

    test('a damaged record is set aside, said, and does not stop the others', async () => {
      await layer('whole');
      await driver().close();
      await writeFile(join(place().home, 'records', 'broken.json'), '{"version":1,"id":"bro');
      await reopen();
      expect((await driver().reconcile(new Set())).join('\n')).toContain('layer broken is damaged');
      expect(await driver().list()).toEqual(['whole']);
      await driver().remove('broken');
      expect(
        (await readdir(join(place().home, 'records'))).filter((file) => file.includes('broken')),
      ).toEqual([]);
      expect(await driver().reconcile(new Set())).toEqual([]);
    });

    for (const point of ['make:before', 'make:after', 'made:before', 'made:after'] as const) {
      test(`a crash in create, at ${point}, leaves the layer whole or absent`, async () => {
        await layer('base', undefined, (root) => writeFile(join(root, 'file'), 'base'));
        await driver().close();
        await crash(point, 'create', 'half', 'base');
        await reopen();
        await driver().reconcile(new Set());
        const whole = (await driver().list()).includes('half');
        expect(whole).toBe(point.startsWith('made'));
        if (!whole) await driver().create('half', 'base');
        try {
          expect(await see('half', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('base');
          await driver().create('next', 'half');
          await driver().remove('next');
        } finally {
          await driver().remove('half');
        }
        expect(await driver().reconcile(new Set())).toEqual([]);
      });
    }

    for (const point of ['destroy:before', 'destroy:after'] as const) {
      test(`a crash in remove, at ${point}, ends with the layer absent`, async () => {
        await layer('base', undefined, (root) => writeFile(join(root, 'file'), 'base'));
        await driver().create('half', 'base');
        await driver().close();
        await crash(point, 'remove', 'half');
        await reopen();
        expect((await driver().reconcile(new Set())).join('\n')).toContain('half');
        expect(await driver().list()).toEqual(['base']);
        await driver().create('half', 'base');
        await driver().remove('half');
      });
    }

    test('layers made side by side are all there', async () => {
      await layer('trunk', undefined, (root) => writeFile(join(root, 'file'), 'x'));
      const ids = Array.from({ length: 8 }, (_, index) => `branch-${index}`);
      await Promise.all(ids.map((id) => layer(id, 'trunk')));
      expect([...(await driver().list())].sort()).toEqual([...ids, 'trunk']);
      await Promise.all(ids.map((id) => see(id, (root) => writeFile(join(root, id), id))));
      for (const id of ids)
        expect([...(await see(id, (root) => readdir(root)))].sort()).toEqual([id, 'file']);
    });

    test('status tells pairs of words', async () => {
      const status = await driver().status();
      expect(status.length).toBeGreaterThan(0);
      for (const [label, value] of status) expect(`${label}: ${value}`).toMatch(/^\S.*: \S/);
    });

    test('nothing is left behind', async () => {
      expect(await driver().list()).toEqual([]);
      await driver().close();
      expect(await place().residue()).toEqual([]);
      const folders = (await readdir(place().home, { recursive: true, withFileTypes: true })).filter(
        (entry) =>
          entry.isDirectory() && !['l', 'layers', 'subvolumes', 'records', 'removing'].includes(entry.name),
      );
      expect(folders.map((entry) => join(entry.parentPath, entry.name))).toEqual([]);
      expect((await readdir(join(place().home, 'records'))).filter((file) => file.endsWith('.json'))).toEqual(
        [],
      );
      expect(await readdir(join(place().runDir, 'locks'))).toEqual([]);
      await reopen();
    });

    async function crash(point: string, verb: string, ...layers: LayerId[]): Promise<void> {
      const child = place().daemon(point, verb, ...layers);
      const words: string[] = [];
      child.stderr.on('data', (chunk: Buffer) => words.push(chunk.toString()));
      const [code, signal] = await once(child, 'close');
      expect({ code, signal, words: words.join('') }).toEqual({ code: null, signal: 'SIGKILL', words: '' });
    }
  });
}

/** Waits until the process has become the program (its `exec` is done). */
async function becomes(pid: number | undefined, comm: string): Promise<void> {
  await expect
    .poll(async () => (await readFile(`/proc/${pid}/comm`, 'utf8')).trim(), { timeout: 30_000 })
    .toBe(comm);
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the suite is not open');
  return value;
}
