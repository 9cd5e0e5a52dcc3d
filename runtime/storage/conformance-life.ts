import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { Subject } from './conformance.ts';
import { makePlace } from './conformance-place.ts';

/** Layers come, are used and go. */
export function describeLife({ driver, layer, place, see, test }: Subject): void {
  test('an id that exists is refused', async () => {
    await layer('once');
    await expect(driver().create('once', undefined)).rejects.toMatchObject({ kind: 'conflict' });
    expect(await driver().list()).toContain('once');
  });

  test('a parent that does not exist is refused, and nothing is made', async () => {
    await expect(driver().create('orphan', 'nobody')).rejects.toMatchObject({ kind: 'not-found' });
    expect(await driver().list()).not.toContain('orphan');
  });

  test('an id that could be a path is refused', async () => {
    for (const id of ['', '.', '..', '../x', 'a/b', '-rf', 'a\0b', 'x'.repeat(129)]) {
      await expect(driver().create(id, undefined)).rejects.toMatchObject({ kind: 'invalid' });
    }
  });

  test('a long id with every allowed sign works', async () => {
    const id = `a_${'B.c-9'.repeat(25)}`;
    await layer(id, undefined, (root) => writeFile(join(root, 'file'), 'x'));
    expect(await see(id, (root) => readdir(root))).toEqual(['file']);
  });

  test('a layer that does not exist cannot be acquired, but released and removed', async () => {
    await expect(driver().acquire('nobody')).rejects.toMatchObject({ kind: 'not-found' });
    await driver().release('nobody');
    await driver().remove('nobody');
  });

  test('remove makes absent, also the second time', async () => {
    await driver().create('goner', undefined);
    await driver().remove('goner');
    expect(await driver().list()).not.toContain('goner');
    await driver().remove('goner');
    await driver().create('goner', undefined);
    await driver().remove('goner');
  });

  test('a parent with children is not removed; without them it is', async () => {
    await layer('family');
    await layer('kid', 'family');
    await expect(driver().remove('family')).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining('kid'),
    });
    await driver().remove('kid');
    await driver().remove('family');
    expect(await driver().list()).toEqual([]);
  });

  test('acquire and release may be called again', async () => {
    await layer('again');
    const first = await driver().acquire('again');
    expect(await driver().acquire('again')).toEqual(first);
    await driver().release('again');
    await driver().release('again');
  });

  test('an unknown option is refused by name', async () => {
    const wrong = await makePlace(place().driver, new Map([['dm.nonsense', '1']]), place().parent);
    onTestFinished(() => wrong.delete());
    await expect(wrong.open()).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('dm.nonsense'),
    });
  });

  test('layers made side by side are all there', async () => {
    await layer('trunk', undefined, (root) => writeFile(join(root, 'file'), 'x'));
    const ids = Array.from({ length: 8 }, (_, index) => `branch-${index}`);
    await Promise.all(ids.map((id) => layer(id, 'trunk')));
    expect([...(await driver().list())].sort()).toEqual([...ids, 'trunk']);
    await Promise.all(ids.map((id) => see(id, (root) => writeFile(join(root, id), id))));
    for (const id of ids) expect([...(await see(id, (root) => readdir(root)))].sort()).toEqual([id, 'file']);
  });

  test('status tells pairs of words', async () => {
    const status = await driver().status();
    expect(status.length).toBeGreaterThan(0);
    for (const [label, value] of status) expect(`${label}: ${value}`).toMatch(/^\S.*: \S/);
  });
}
