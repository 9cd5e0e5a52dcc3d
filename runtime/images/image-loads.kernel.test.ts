import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { dockerArchive, imageOf } from './image-fixture.ts';
import { describeWithImages, nobody } from './image-suite.ts';
import { base, upper } from './small-image.ts';
import type { FixtureEntry } from './tar-fixture.ts';

await describeWithImages('loads that are disturbed', (shop) => {
  test('loads side by side', async () => {
    const images = await Promise.all(
      [1, 2, 3, 4].map((number) => imageOf([base, [{ name: `etc/${number}` }]])),
    );
    await Promise.all(
      images.map(async (image, index) => shop.load(await dockerArchive(image, `side:${index}`))),
    );
    expect((await shop.store.list()).length).toBe(4);
    expect((await shop.driver.list()).length).toBe(5);
    expect(Object.keys(await shop.contentOf('side:2'))).toEqual(['3', 'motd', 'old']);
  });

  test('a load that is killed at any moment is undone or whole at the next start', {
    timeout: 120_000,
  }, async () => {
    await shop.close();
    const many = Array.from(
      { length: 200 },
      (_, index): FixtureEntry => ({ name: `etc/f${index}`, data: 'y'.repeat(3000) }),
    );
    const image = await imageOf([base, many, upper]);
    const archive = join(shop.folder, 'archive.tar');
    await writeFile(archive, await dockerArchive(image, 'crash:1'));
    const outcomes = new Set<string>();
    for (let round = 0; round < 8; round++) {
      const { dataRoot, execRoot } = shop.place();
      const script = fileURLToPath(new URL('crash-child.ts', import.meta.url));
      const child = spawn(process.execPath, [script, shop.name, dataRoot, execRoot, archive], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exit = once(child, 'exit');
      await once(child.stdout, 'data');
      await sleep(round * 15);
      child.kill('SIGKILL');
      await exit;
      await shop.open();
      const images = await shop.store.list();
      outcomes.add(images.length === 0 ? 'undone' : 'whole');
      if (images.length > 0) {
        expect(Object.keys(await shop.contentOf('crash:1')).length).toBe(202);
        await shop.store.remove('crash:1', nobody);
      }
      await shop.expectEmpty();
      await shop.close();
    }
    await shop.open();
    expect(outcomes).toContain('undone');
    await shop.load(await dockerArchive(image, 'crash:1'));
    expect(Object.keys(await shop.contentOf('crash:1')).length).toBe(202);
  });

  test.each([
    ['the archive', 3],
    ['the layers', 6],
  ])(
    'a disk too small for %s is an error that says so, and leaves nothing',
    { timeout: 60_000 },
    async (_, size) => {
      const data = randomBytes(4 * 1024 * 1024);
      const archives = [await imageOf([base, [{ name: 'etc/large', data }]]), await imageOf([upper])];
      const [large, small] = ['large.tar', 'small.tar'].map((file) => join(shop.folder, file));
      await writeFile(large ?? '', await dockerArchive(archives[0] ?? expect.fail(), 'large:1'));
      await writeFile(small ?? '', await dockerArchive(archives[1] ?? expect.fail(), 'small:1'));
      const full = join(shop.folder, 'full');
      await mkdir(full);
      const script = fileURLToPath(new URL('full-disk-child.ts', import.meta.url));
      const mount = `mount -t tmpfs -o size=${size}m none "$1" && exec "$2" "$3" "$4" "$1" "$5" "$6"`;
      const words = ['sh', full, process.execPath, script, shop.name, large ?? '', small ?? ''];
      const { stdout } = await execa('unshare', ['--mount', 'sh', '-c', mount, ...words]);
      const { first, left, second, ...removal } = JSON.parse(stdout);
      expect(first).toMatch(/^exhausted: .*ENOSPC/);
      expect(left).toEqual([]);
      expect(second).toBe('loaded');
      expect(removal).toEqual({ full: 'ENOSPC', removed: 3, after: [] });
    },
  );
});
