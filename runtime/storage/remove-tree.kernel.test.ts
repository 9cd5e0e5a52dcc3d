import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { run } from '../base/command.ts';
import { needsRoot } from './conformance-place.ts';
import { removeTree } from './remove-tree.ts';
import { openVfs } from './vfs/vfs-driver.ts';

const unless = needsRoot();

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'hull-tree-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function bind(from: string, to: string): Promise<() => Promise<unknown>> {
  await run('mount', ['--bind', from, to]);
  const unmount = () => run('umount', [to]).catch(() => undefined);
  onTestFinished(async () => void (await unmount()));
  return unmount;
}

describe.skipIf(unless !== undefined)(unless ? `removal (skipped: ${unless})` : 'removal', () => {
  it('of a tree takes everything, names that are no UTF-8 as well, and may be done again', async () => {
    const path = await folder();
    await mkdir(join(path, 'tree/deep'), { recursive: true });
    await writeFile(Buffer.concat([Buffer.from(`${path}/tree/deep/`), Buffer.from([0xff, 0x80])]), '');
    for (let index = 0; index < 100; index++) await writeFile(join(path, 'tree', `${index}`), '');
    await removeTree(join(path, 'tree'));
    await removeTree(join(path, 'tree'));
    await expect(readFile(join(path, 'tree'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('never crosses a mount of the same file system, which only the mount table shows', async () => {
    const path = await folder();
    await mkdir(join(path, 'tree/mounted'), { recursive: true });
    await mkdir(join(path, 'precious'));
    await writeFile(join(path, 'precious/file'), 'keep');
    const unmount = await bind(join(path, 'precious'), join(path, 'tree/mounted'));
    await expect(removeTree(join(path, 'tree'))).rejects.toMatchObject({
      kind: 'busy',
      message: expect.stringContaining(join(path, 'tree/mounted')),
    });
    expect(await readFile(join(path, 'precious/file'), 'utf8')).toBe('keep');
    await unmount();
    await removeTree(join(path, 'tree'));
    expect(await readFile(join(path, 'precious/file'), 'utf8')).toBe('keep');
  });

  it('of a layer works on a full disk', async () => {
    const path = await folder();
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1M', 'small', path]);
    onTestFinished(async () => void (await run('umount', ['--lazy', path])));
    const driver = await openVfs({ home: join(path, 'data'), runDir: join(path, 'run'), options: new Map() });
    await driver.create('c1', undefined);
    await expect(
      writeFile(join(path, 'data/layers/c1/fill'), Buffer.alloc(2 * 1024 ** 2)),
    ).rejects.toMatchObject({
      code: 'ENOSPC',
    });
    await expect(driver.create('c2', 'c1')).rejects.toThrow(/ENOSPC|No space left/);
    expect(await driver.list()).toEqual(['c1']);
    await driver.remove('c1');
    await driver.create('c3', undefined);
    await driver.remove('c3');
    await driver.close();
  });

  it("of a layer with the host's mount below it is refused, survives a restart, and is done afterwards", async () => {
    const path = await folder();
    const open = () => openVfs({ home: join(path, 'data'), runDir: join(path, 'run'), options: new Map() });
    let driver = await open();
    await driver.create('c1', undefined);
    await mkdir(join(path, 'precious'));
    await writeFile(join(path, 'precious/file'), 'keep');
    const inside = join(path, 'data/layers/c1/deck');
    await mkdir(inside);
    const unmount = await bind(join(path, 'precious'), inside);
    const refusal = { kind: 'busy', message: expect.stringContaining(inside) };
    await expect(driver.remove('c1')).rejects.toMatchObject(refusal);
    await driver.close();
    driver = await open();
    expect(await driver.reconcile(new Set())).toEqual([]);
    expect(await driver.list()).toEqual(['c1']);
    await expect(driver.remove('c1')).rejects.toMatchObject(refusal);
    await unmount();
    await driver.remove('c1');
    expect(await readFile(join(path, 'precious/file'), 'utf8')).toBe('keep');
    await driver.close();
  });
});
