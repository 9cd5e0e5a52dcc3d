import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { base, changeEverything } from './image-contents.ts';
import { dockerArchive, imageOf } from './image-fixture.ts';
import { historyOf } from './image-history.ts';
import { describeWithImages, nobody } from './image-suite.ts';
import { usageOf } from './image-usage.ts';
import { tarOf } from './tar-fixture.ts';

await describeWithImages('commits', (shop) => {
  test('a commit is the tree it was made of, with its parents, history and sizes', async () => {
    const image = await imageOf([base]);
    await shop.load(await dockerArchive(image, 'box:1'));
    const one = await shop.commit('box:1', '1', changeEverything);
    const two = await shop.commit(one, undefined, (root) => writeFile(join(root, 'etc/more'), 'more'));
    const three = await shop.commit(two, '3', async () => undefined);
    const top = await shop.store.get('made:3');
    expect(top).toMatchObject({ id: three, parent: two });
    expect(top.layers).toHaveLength(3);
    expect(top.config).toMatchObject({ author: 'somebody', comment: 'why', config: { Cmd: ['/bin/new'] } });
    const images = await shop.store.list();
    expect(
      historyOf(top, images).map(({ id, size, createdBy, tags }) => [id, size, createdBy, tags]),
    ).toEqual([
      [three, 0, 'make 3', ['made:3']],
      [two, 4, 'make undefined', []],
      [one, 3_000_017, 'make 1', ['made:1']],
      [image.id, 100_009, 'test', ['box:1']],
    ]);
    expect(usageOf(images).total).toBe(3_100_030);
    expect(await shop.open()).toEqual([]);
    expect((await shop.store.get(three)).parent).toBe(two);
  });

  test('an image with children loses its name only; nameless parents go with the last child', async () => {
    await shop.load(await dockerArchive(await imageOf([base]), 'box:1'));
    const { id } = await shop.store.get('box:1');
    const middle = await shop.commit('box:1', undefined, (root) => writeFile(join(root, 'a'), 'a'));
    const one = await shop.commit(middle, '1', (root) => writeFile(join(root, 'b'), 'b'));
    const two = await shop.commit(middle, '2', (root) => writeFile(join(root, 'c'), 'c'));
    await expect(shop.store.remove(middle, { ...nobody, force: true })).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining('dependent child images'),
    });
    expect(await shop.store.remove('box:1', nobody)).toEqual([{ untagged: 'box:1' }]);
    expect((await shop.store.remove('made:1', nobody)).slice(0, 2)).toEqual([
      { untagged: 'made:1' },
      { deleted: one },
    ]);
    expect((await shop.store.list()).map((image) => image.id).sort()).toEqual([id, middle, two].sort());
    // Going back: an earlier step gets a name, and stays.
    await shop.store.tag(middle, { repository: 'made', tag: 'back' });
    const gone = await shop.store.remove('made:2', nobody);
    expect(gone.slice(0, 2)).toEqual([{ untagged: 'made:2' }, { deleted: two }]);
    expect((await shop.store.get('made:back')).id).toBe(middle);
    const last = await shop.store.remove('made:back', nobody);
    expect(last.slice(0, 3)).toEqual([{ untagged: 'made:back' }, { deleted: middle }, { deleted: id }]);
    expect(await shop.store.list()).toEqual([]);
    expect(await shop.driver.list()).toEqual([]);
  });

  test('a commit that is killed at any moment is undone or whole at the next start', {
    timeout: 120_000,
  }, async () => {
    await shop.load(await dockerArchive(await imageOf([base]), 'box:1'));
    const { id, topLayer } = await shop.store.get('box:1');
    const blobs = await listing(join(shop.folder, 'data/images/blobs/sha256'));
    await shop.close();
    const archive = join(shop.folder, 'layer.tar');
    const many = Array.from({ length: 300 }, (_, index) => ({ name: `f${index}`, data: 'y'.repeat(3000) }));
    await writeFile(archive, await tarOf(many));
    const outcomes = new Set<string>();
    for (let round = 0; round < 8; round++) {
      const { dataRoot, execRoot } = shop.place();
      const script = fileURLToPath(new URL('commit-child.ts', import.meta.url));
      const child = spawn(process.execPath, [script, shop.name, dataRoot, execRoot, id, archive], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exit = once(child, 'exit');
      // A child that ends by itself did not even open the shop.store.
      const ended = exit.then(() => Promise.reject(new Error('the child ended before it was killed')));
      await Promise.race([once(child.stdout, 'data'), ended]);
      ended.catch(() => undefined);
      await sleep(round * 15);
      child.kill('SIGKILL');
      await exit;
      await shop.open();
      const made = (await shop.store.list()).find((image) => image.id !== id);
      outcomes.add(made ? 'whole' : 'undone');
      if (made) {
        expect(made.tags).toEqual(['committed:1']);
        expect((await shop.treeOf('committed:1')).join()).toContain('f299');
        await shop.store.remove('committed:1', nobody);
      }
      expect(await shop.driver.list()).toEqual([topLayer]);
      expect(await listing(join(shop.folder, 'data/images/blobs/sha256'))).toEqual(blobs);
      expect(await listing(join(shop.folder, 'data/images/spool'))).toEqual([]);
      await shop.close();
    }
    await shop.open();
    expect(outcomes).toContain('undone');
    const again = await shop.commit('box:1', '1', (root) => writeFile(join(root, 'a'), 'a'));
    expect((await shop.store.get('made:1')).id).toBe(again);
  });
});

async function listing(path: string): Promise<readonly string[]> {
  return (await readdir(path)).sort();
}
