import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { deviceMapper } from '../../kernel/device-mapper.ts';
import { holdMounts } from '../../launch/hold-mounts.ts';
import { makePlace, type Place } from '../conformance-place.ts';
import type { AcquiredLayer, StorageDriver } from '../driver.ts';
import { withRoot } from '../with-root.ts';
import { openDevicemapper } from './devicemapper-driver.ts';

const minutes = 60_000;

/** What only a thin pool can do wrong: it outlives its daemon, fills up, and takes several steps to make. */
export function describePool(options: ReadonlyMap<string, string>, unless: string | undefined): void {
  const title = 'thin pool';
  describe.skipIf(unless !== undefined)(unless ? `${title} (skipped: ${unless})` : title, () => {
    const test = (what: string, body: (place: Place) => Promise<void>, more = new Map<string, string>()) =>
      it(
        what,
        async () => {
          const place = await makePlace('devicemapper', new Map([...options, ...more]), tmpdir());
          onTestFinished(() => place.delete());
          await body(place);
          expect(await place.residue()).toEqual([]);
        },
        5 * minutes,
      );

    test('outlives its daemon with a container on it, and is taken over', async (place) => {
      await prepare(place, ['base'], ['c1', 'base'], ['c2', 'base']);
      const { child, acquired } = await acquireElsewhere(place, 'c1');
      const held = await holdMounts(acquired.mounts, { lockPath: acquired.lockPath });
      await writeFile(join(held.path, 'before'), 'crash');
      child.kill('SIGKILL');
      await once(child, 'exit');
      const driver = await place.open();
      const said = await driver.reconcile(new Set(['c1']));
      expect(said.join('\n')).toMatch(/Took over the active pool/);
      await writeFile(join(held.path, 'after'), 'crash');
      await expect(driver.release('c1')).rejects.toMatchObject({
        kind: 'busy',
        message: expect.stringContaining(`process ${held.pid} `),
      });
      await withRoot(driver, 'c2', (root) => writeFile(join(root, 'other'), 'works'));
      await held[Symbol.asyncDispose]();
      await driver.release('c1');
      await withRoot(driver, 'c1', async (root) => {
        expect(await readFile(join(root, 'before'), 'utf8')).toBe('crash');
        expect(await readFile(join(root, 'after'), 'utf8')).toBe('crash');
      });
      await driver.close();
    });

    test('lets go at the next start of what a crash left active', async (place) => {
      await prepare(place, ['base'], ['c1', 'base']);
      const { child, acquired } = await acquireElsewhere(place, 'c1');
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(await deviceOf(acquired)).toBeDefined();
      const driver = await place.open();
      expect((await driver.reconcile(new Set())).join('\n')).toMatch(/Released layer c1/);
      expect(await deviceOf(acquired)).toBeUndefined();
      await driver.close();
    });

    test('stays active when it is closed while a container is on it', async (place) => {
      await prepare(place, ['c1']);
      const driver = await place.open();
      const acquired = await driver.acquire('c1');
      const held = await holdMounts(acquired.mounts, { lockPath: acquired.lockPath });
      await driver.close();
      expect(await deviceOf(acquired)).toBeDefined();
      const next = await place.open();
      await next.reconcile(new Set(['c1']));
      await held[Symbol.asyncDispose]();
      await next.release('c1');
      await next.close();
    });

    test('a busy device goes away by itself when its holder does', async (place) => {
      await prepare(place, ['c1']);
      const driver = await place.open();
      const acquired = await driver.acquire('c1');
      // Without the lock: a mount that nobody accounts for.
      const held = await holdMounts(acquired.mounts);
      await expect(driver.release('c1')).rejects.toMatchObject({
        kind: 'busy',
        hint: expect.stringContaining('by itself'),
      });
      await held[Symbol.asyncDispose]();
      await expect.poll(() => deviceOf(acquired), { timeout: minutes }).toBeUndefined();
      await driver.release('c1');
      await withRoot(driver, 'c1', (root) => writeFile(join(root, 'file'), 'again'));
      await driver.close();
    });

    test('a device that was to go away stays when its layer is acquired before', async (place) => {
      await prepare(place, ['c1']);
      const driver = await place.open();
      const acquired = await driver.acquire('c1');
      const held = await holdMounts(acquired.mounts);
      await expect(driver.release('c1')).rejects.toMatchObject({ kind: 'busy' });
      await held[Symbol.asyncDispose]();
      await withRoot(driver, 'c1', (root) => writeFile(join(root, 'file'), 'again'));
      await driver.close();
    });

    test(
      'without deferred removal a busy device goes at the next try',
      async (place) => {
        await prepare(place, ['c1']);
        const driver = await place.open();
        const acquired = await driver.acquire('c1');
        const held = await holdMounts(acquired.mounts);
        await expect(driver.release('c1')).rejects.toMatchObject({ kind: 'busy', hint: undefined });
        await held[Symbol.asyncDispose]();
        expect(await deviceOf(acquired)).toBeDefined();
        await driver.release('c1');
        expect(await deviceOf(acquired)).toBeUndefined();
        await driver.close();
      },
      new Map([['dm.use_deferred_removal', 'false']]),
    );

    test('a child of a layer that is mounted and being written is whole', async (place) => {
      await prepare(place, ['busy']);
      const driver = await place.open();
      await withRoot(driver, 'busy', async (root) => {
        await writeFile(join(root, 'first'), 'written');
        await driver.create('copy', 'busy');
        await writeFile(join(root, 'second'), 'later');
      });
      await withRoot(driver, 'copy', async (root) => {
        expect(await readFile(join(root, 'first'), 'utf8')).toBe('written');
        await expect(readFile(join(root, 'second'))).rejects.toMatchObject({ code: 'ENOENT' });
      });
      await driver.close();
    });

    test('a crash at any time while it is made is made good', async (place) => {
      const started = Date.now();
      const whole = place.daemon('none', 'open', 'nothing');
      await once(createInterface({ input: whole.stdout }), 'line');
      const duration = Date.now() - started;
      whole.kill('SIGKILL');
      await once(whole, 'exit');
      await (await place.open()).close();
      for (const part of [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]) {
        const other = await makePlace('devicemapper', place.options, tmpdir());
        const child = other.daemon('none', 'open', 'nothing');
        await sleep(duration * part);
        child.kill('SIGKILL');
        await once(child, 'exit');
        const driver = await other.open();
        await driver.reconcile(new Set());
        await driver.create('first', undefined);
        await withRoot(driver, 'first', (root) => writeFile(join(root, 'file'), 'x'));
        await driver.close();
        expect({ part, residue: await other.residue() }).toEqual({ part, residue: [] });
        await other.delete();
      }
    });

    test('keeps what it was made with', async (place) => {
      await prepare(place, ['c1']);
      const { home, runDir } = place;
      const options = new Map([['dm.basesize', '512M']]);
      await expect(openDevicemapper({ home, runDir, options })).rejects.toMatchObject({
        kind: 'invalid',
        message: expect.stringMatching(/baseSize is 1073741824 .* 536870912/),
      });
    });

    test(
      'refuses a new layer when too little is free',
      async (place) => {
        const driver = await place.open();
        await expect(driver.create('c1', undefined)).rejects.toMatchObject({
          kind: 'exhausted',
          message: expect.stringContaining('dm.min_free_space'),
        });
        expect(await driver.list()).toEqual([]);
        await driver.close();
      },
      new Map([['dm.min_free_space', '99%']]),
    );
  });
}

async function prepare(
  place: Place,
  ...layers: readonly (readonly [id: string, parent?: string])[]
): Promise<void> {
  const driver: StorageDriver = await place.open();
  for (const [id, parent] of layers) await driver.create(id, parent);
  await driver.close();
}

async function acquireElsewhere(place: Place, id: string) {
  const child = place.daemon('none', 'acquire', id);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, acquired: JSON.parse(String(line)) as AcquiredLayer };
}

async function deviceOf({ mounts }: AcquiredLayer): Promise<string | undefined> {
  const minor = /\/dev\/dm-(\d+)$/.exec(mounts[0]?.source ?? '')?.[1];
  const name = await readFile(`/sys/block/dm-${minor}/dm/name`, 'utf8').catch(() => undefined);
  return name !== undefined && (await deviceMapper.list()).includes(name.trim()) ? name.trim() : undefined;
}
