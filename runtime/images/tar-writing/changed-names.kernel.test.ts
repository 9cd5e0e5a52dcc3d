import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { holdMounts } from '../../launch/hold-mounts.ts';
import { probeOverlay } from '../../storage/overlay/probe-overlay.ts';
import { removeTree } from '../../storage/remove-tree.ts';
import { changeAtRandom, listChanges, numbers, plantPlaces, steps } from './changes-suite.ts';

const reason = await whyNot();
describe.skipIf(reason !== '')(
  `changes by an overlay's upper folder${reason && ` (skipped: ${reason})`}`,
  () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'hull-upper-'));
      for (const name of ['lower', 'upper', 'work']) mkdirSync(join(folder, name), { mode: 0o755 });
      plantPlaces(join(folder, 'lower'));
    });
    afterEach(() => removeTree(folder));

    describe.each([
      { knobs: 'index=off,redirect_dir=off,metacopy=off' },
      { knobs: 'redirect_dir=on,metacopy=on' },
    ])('$knobs', ({ knobs }) => {
      test.each(Object.entries(steps))('%s: the same as by both trees', async (_, change) => {
        await using root = await mounted(knobs);
        change(root.path);
        await expectSame(root.path);
      });

      test.each([1, 2, 3, 4, 5, 6])('random changes, seed %d: the same as by both trees', async (seed) => {
        await using root = await mounted(knobs);
        const random = numbers(seed);
        for (let count = 0; count < 60; count++) changeAtRandom(root.path, random);
        expect((await expectSame(root.path)).length).toBeGreaterThan(0);
      });
    });

    function mounted(knobs: string) {
      const folders = ['lowerdir=lower', 'upperdir=upper', 'workdir=work'];
      const options = [...folders, ...knobs.split(',')];
      return holdMounts([{ type: 'overlay', source: 'overlay', target: '', options, cwd: folder }]);
    }

    async function expectSame(root: string): Promise<readonly string[]> {
      const lower = join(folder, 'lower');
      const walked = await listChanges(root, lower, undefined);
      expect(await listChanges(root, lower, { kind: 'names', folder: join(folder, 'upper') })).toEqual(
        walked,
      );
      return walked;
    }
  },
);

async function whyNot(): Promise<string> {
  if (process.getuid?.() !== 0) return 'needs root to mount';
  const place = mkdtempSync(join(tmpdir(), 'hull-upper-'));
  try {
    const probe = await probeOverlay(place);
    return probe.answer === 'supported' ? '' : JSON.stringify(probe);
  } finally {
    await removeTree(place);
  }
}
