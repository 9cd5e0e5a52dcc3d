import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { run } from '../../base/command.ts';
import { describeStorageDriver } from '../conformance.ts';
import { makePlace, needsRoot } from '../conformance-place.ts';
import { withRoot } from '../with-root.ts';

const unless = needsRoot();

describeStorageDriver('vfs', { chain: 20, unless });

const title = 'a copy that outlives its killed daemon is ended before its layer is removed';
it.skipIf(unless !== undefined)(unless ? `${title} (skipped: ${unless})` : title, async () => {
  const place = await makePlace('vfs', new Map(), tmpdir());
  onTestFinished(() => place.delete());
  const first = await place.open();
  await first.create('base', undefined);
  // Enough that the copy is still going when the daemon dies.
  await withRoot(first, 'base', async (root) => {
    await run('sh', ['-c', 'cd "$1" && mkdir many && seq -f many/%g 20000 | xargs touch', 'sh', root]);
  });
  await first.close();
  const daemon = place.daemon('none', 'create', 'copy', 'base');
  const started = join(place.home, 'layers/copy/many');
  await expect
    .poll(
      () =>
        access(started).then(
          () => true,
          () => false,
        ),
      { timeout: 30_000, interval: 2 },
    )
    .toBe(true);
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
  const driver = await place.open();
  expect(await driver.reconcile(new Set())).toEqual(['Removed the half-made layer copy.']);
  await expect(access(join(place.home, 'removing/copy'))).rejects.toMatchObject({ code: 'ENOENT' });
  await driver.remove('base');
  await driver.close();
});
