import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { describeContents } from './conformance-contents.ts';
import { describeHolders } from './conformance-holders.ts';
import { describeLife } from './conformance-life.ts';
import { makePlace, type Place } from './conformance-place.ts';
import { describeRestart } from './conformance-restart.ts';
import type { LayerId, StorageDriver } from './driver.ts';
import { withRoot } from './with-root.ts';

export interface ConformanceOptions {
  /** What is tried, where the driver's name does not tell it. */
  readonly title?: string;
  /** `--storage-opt` of the driver under test. */
  readonly options?: ReadonlyMap<string, string>;
  /** Layers of the deep chain. Default 64. */
  readonly chain?: number;
  /** Bytes of a file's name. Default 255. */
  readonly longestName?: number;
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
  readonly place: () => Place;
  /** A new driver where the last one was, which must be closed. */
  reopen(): Promise<void>;
  readonly chain: number;
  readonly longestName: number;
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
  {
    title: what = name,
    options = new Map(),
    chain = 64,
    longestName = 255,
    parent = tmpdir(),
    unless,
    skip = [],
  }: ConformanceOptions = {},
): void {
  const title = `storage driver ${what}`;
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
      place,
      reopen,
      chain,
      longestName,
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
    describeContents(subject);

    describeLife(subject);
    describeHolders(subject);
    describeRestart(subject);

    subject.test('nothing is left behind', async () => {
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
  });
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the suite is not open');
  return value;
}
