import { randomBytes } from 'node:crypto';
import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hexOf } from '../digest.ts';
import { CuttingProxy, RealRegistry, TestPlace } from './registry-fixture.ts';
import {
  big,
  bigImage,
  describeRegistry,
  expectNothingUnfinished,
  fileOf,
  load,
  publishBig,
} from './registry-suite.ts';

describeRegistry('transfers from and to a real registry that are cut, doubled or given up', () => {
  describe('when the connection is cut', () => {
    test('in a blob: the pull goes on by Range from where it was', async () => {
      await using registry = await RealRegistry.start();
      await publishBig(registry, 'latest');
      await using proxy = await CuttingProxy.start(registry.port);
      await using place = await TestPlace.open();
      let cuts = 0;
      proxy.cut = ({ line }) =>
        /GET \/v2\/big\/blobs\//.test(line) && cuts++ < 6
          ? { side: 'response', after: 3_000_000 }
          : undefined;
      await place.pull(`${proxy.host}/big:latest`);
      const ranges = proxy.rangesOf(/blobs/).filter((range) => range !== '-');
      expect(ranges.length).toBeGreaterThan(1);
      expect(ranges.every((range) => /^bytes=[1-9]\d+-$/.test(range))).toBe(true);
      expect(place.statuses()).toContain('Retrying in 1 seconds');
      expect((await fileOf(place, `${proxy.host}/big:latest`, 'big')).equals(big)).toBe(true);
      await expectNothingUnfinished(place);
    });

    test('again and again: the pull fails, leaves the first bytes alone, and the next one needs only the rest', async () => {
      await using registry = await RealRegistry.start();
      const [, layer = ''] = await publishBig(registry, 'latest');
      await using proxy = await CuttingProxy.start(registry.port);
      await using place = await TestPlace.open();
      let after = 4_000_000;
      proxy.cut = ({ line }) => {
        if (!line.includes(layer)) return undefined;
        const cut = { side: 'response', after } as const;
        after = 400;
        return cut;
      };
      await expect(place.pull(`${proxy.host}/big:latest`)).rejects.toMatchObject({ kind: 'unavailable' });
      expect(await place.store.list()).toEqual([]);
      expect(await readdir(join(place.images, 'spool'))).toEqual([]);
      const [partial = ''] = await readdir(join(place.images, 'partial'));
      const kept = (await stat(join(place.images, 'partial', partial))).size;
      expect(kept).toBeGreaterThan(1024 * 1024);
      // A start keeps it.
      expect(await place.store.reconcile()).toEqual([]);
      proxy.requests.length = 0;
      proxy.cut = () => undefined;
      await place.pull(`${proxy.host}/big:latest`);
      expect(proxy.rangesOf(new RegExp(`blobs/sha256:${partial}`))).toEqual([`bytes=${kept}-`]);
      expect((await fileOf(place, `${proxy.host}/big:latest`, 'big')).equals(big)).toBe(true);
      await expectNothingUnfinished(place);
    });

    test('what was kept and is damaged is fetched anew; what is a day old goes at a start', async () => {
      await using registry = await RealRegistry.start();
      const name = `${registry.host}/big:latest`;
      const [, layer = ''] = await publishBig(registry, 'latest');
      await using place = await TestPlace.open();
      const partial = join(place.images, 'partial', hexOf(layer));
      await writeFile(partial, randomBytes(2 * 1024 * 1024));
      await place.pull(name);
      expect((await fileOf(place, name, 'big')).equals(big)).toBe(true);
      await expectNothingUnfinished(place);
      await writeFile(partial, randomBytes(2 * 1024 * 1024));
      await place.store.reconcile();
      expect(await readdir(join(place.images, 'partial'))).toHaveLength(1);
      await utimes(partial, new Date(), new Date(Date.now() - 25 * 3600 * 1000));
      expect(await place.store.reconcile()).toEqual([`removed stale download ${hexOf(layer)}`]);
    });

    test('in an upload: the push goes on, and what arrives is whole', async () => {
      await using registry = await RealRegistry.start();
      await using proxy = await CuttingProxy.start(registry.port);
      await using place = await TestPlace.open();
      const name = `${proxy.host}/big:latest`;
      const image = await bigImage();
      await load(place, image, name);
      let pieces = 0;
      let finishes = 0;
      proxy.cut = ({ line }) => {
        // The second piece in its middle, and an answer that never comes.
        if (/^PATCH/.test(line) && ++pieces === 2) return { side: 'request', after: 1_000_000 };
        if (/^PUT .*blobs/.test(line) && ++finishes === 1) return { side: 'response', after: 0 };
        return undefined;
      };
      await place.push(name);
      expect(pieces).toBeGreaterThan(2);
      await using other = await TestPlace.open();
      expect(await other.pull(`${registry.host}/big:latest`)).toBe(image.id);
      expect((await fileOf(other, `${registry.host}/big:latest`, 'big')).equals(big)).toBe(true);
    });
  });

  test('two pulls at once fetch each blob once', async () => {
    await using registry = await RealRegistry.start();
    await publishBig(registry, 'a', 'b');
    await using proxy = await CuttingProxy.start(registry.port);
    await using place = await TestPlace.open();
    await Promise.all([place.pull(`${proxy.host}/big:a`), place.pull(`${proxy.host}/big:b`)]);
    const asked = proxy.requests.filter(({ line }) => /GET .*blobs/.test(line)).map(({ line }) => line);
    expect(new Set(asked).size).toBe(asked.length);
    expect((await place.store.get(`${proxy.host}/big:a`)).id).toBe(
      (await place.store.get(`${proxy.host}/big:b`)).id,
    );
    await expectNothingUnfinished(place);
  });

  test('a pull that is given up leaves no image, and the one beside it goes on', async () => {
    await using registry = await RealRegistry.start();
    await publishBig(registry, 'latest');
    await using place = await TestPlace.open();
    const controller = new AbortController();
    const reason = new Error('the client has left');
    const name = `${registry.host}/big:latest`;
    const first = place.pull(name, { signal: controller.signal });
    const second = place.pull(name);
    const stop = setInterval(() => {
      if (place.lines.some(({ status }) => status === 'Downloading')) controller.abort(reason);
    }, 1);
    const [given, kept] = await Promise.allSettled([first, second]);
    clearInterval(stop);
    // On a very quick machine the first may be through before.
    if (given.status === 'rejected') expect(given.reason).toBe(reason);
    expect(kept.status).toBe('fulfilled');
    expect((await fileOf(place, name, 'big')).equals(big)).toBe(true);
    await expectNothingUnfinished(place);
  });
});
