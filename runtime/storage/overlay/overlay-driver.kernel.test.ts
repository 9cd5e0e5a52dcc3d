import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readMountInfo } from '../../kernel/mountinfo.ts';
import { describeStorageDriver } from '../conformance.ts';
import { makePlace, needsRoot } from '../conformance-place.ts';
import { withRoot } from '../with-root.ts';
import { probeOverlay } from './probe-overlay.ts';

describeStorageDriver('overlay', { unless: needsRoot() });

const why = needsRoot();
it.skipIf(why)(
  `only a transient layer is written out by nobody, time and again${why ? ` (skipped: ${why})` : ''}`,
  async () => {
    const place = await makePlace('overlay', new Map(), tmpdir());
    const driver = await place.open();
    try {
      await driver.create('base', undefined);
      await driver.create('lasting', 'base');
      await driver.create('passing', 'base', { transient: true });
      const volatile = (await probeOverlay(place.home, ['volatile'])).answer === 'supported';
      // Told as `volatile`, by newer kernels as `fsync=volatile`.
      const isVolatile = (root: string) =>
        readMountInfo(Number(root.split('/')[2]))
          .map(({ superOptions }) => superOptions)
          .find((options) => options.some((option) => option.startsWith(`upperdir=${place.home}/`)))
          ?.some((option) => /^(fsync=)?volatile$/.test(option));
      for (const text of ['once', 'twice']) {
        await withRoot(driver, 'passing', async (root) => {
          expect(isVolatile(root)).toBe(volatile);
          await writeFile(join(root, text), text, { flush: true });
        });
      }
      await withRoot(driver, 'passing', async (root) => {
        expect(await readFile(join(root, 'once'), 'utf8')).toBe('once');
      });
      await withRoot(driver, 'lasting', async (root) => {
        expect(isVolatile(root)).toBe(false);
      });
    } finally {
      for (const id of ['passing', 'lasting', 'base']) await driver.remove(id);
      await driver.close();
      await place.delete();
    }
  },
);
