import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { needsRoot } from './conformance-place.ts';
import { openDriver, parseOrder } from './open-driver.ts';

const unless = needsRoot();

async function place() {
  const path = await mkdtemp(join(tmpdir(), 'hull-open-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return { dataRoot: join(path, 'data'), execRoot: join(path, 'exec') };
}

async function makeLayer(name: string, options: Awaited<ReturnType<typeof place>>): Promise<void> {
  const { driver } = await openDriver(name, options);
  await driver.create('layer', undefined);
  await driver.close();
}

describe.skipIf(unless !== undefined)(unless ? `openDriver (skipped: ${unless})` : 'openDriver', () => {
  it('takes the first that works, and says so', async () => {
    const { driver, why } = await openDriver(undefined, await place());
    expect(why).toMatch(
      /^Chose storage driver \w+: the first of overlay, btrfs, zfs, devicemapper, vfs that works here\./,
    );
    await driver.close();
  });

  it('follows an order, and says of each before why not', async () => {
    const order = parseOrder('aufs,btrfs,zfs,vfs,overlay');
    const options = await place();
    const { driver, why } = await openDriver(undefined, { ...options, order });
    expect(driver.name).toBe('vfs');
    expect(why).toContain('the first of aufs, btrfs, zfs, vfs, overlay that works here');
    for (const name of ['aufs', 'btrfs', 'zfs']) {
      expect(why).toContain(`Cannot use storage driver ${name}: missing is ${name} `);
    }
    // What was only tried leaves nothing.
    expect(await readdir(options.dataRoot)).toEqual(['vfs']);
    expect(await readdir(options.execRoot)).toEqual(['vfs']);
    await driver.close();
  });

  it('the order does not lead away from layers that are there', async () => {
    const options = await place();
    await makeLayer('vfs', options);
    const { driver } = await openDriver(undefined, { ...options, order: parseOrder('overlay,vfs') });
    expect(driver.name).toBe('vfs');
    await driver.close();
  });

  it.each(['', 'overlay,ntfs', 'vfs,vfs'])('the order %j is refused', (text) => {
    expect(() => parseOrder(text)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });

  it('stays with the driver that has layers', async () => {
    const options = await place();
    await makeLayer('vfs', options);
    const { driver, why } = await openDriver(undefined, options);
    expect(driver.name).toBe('vfs');
    expect(why).toContain('has layers of it');
    await driver.close();
  });

  it('does not choose between two that have layers, and takes the named one', async () => {
    const options = await place();
    await makeLayer('vfs', options);
    await makeLayer('overlay', options);
    await expect(openDriver(undefined, options)).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining('overlay and vfs'),
    });
    const { driver } = await openDriver('vfs', options);
    expect(await driver.list()).toEqual(['layer']);
    await driver.close();
  });

  it('refuses an unknown name with the known ones', async () => {
    await expect(openDriver('ntfs', await place())).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('wanted one of overlay, aufs, btrfs'),
    });
  });
});
