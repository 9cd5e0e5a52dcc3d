import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Subject } from './conformance.ts';
import type { LayerId } from './driver.ts';

/** What a daemon finds that starts on an earlier one's storage, however that ended. */
export function describeRestart({ driver, layer, place, reopen, see, test }: Subject): void {
  test('a restart finds every layer as it was', async () => {
    await layer('lasting', undefined, (root) => writeFile(join(root, 'file'), 'kept'));
    await layer('lasting-child', 'lasting');
    await driver().close();
    await reopen();
    expect(await driver().reconcile(new Set())).toEqual([]);
    expect([...(await driver().list())].sort()).toEqual(['lasting', 'lasting-child']);
    expect(await see('lasting-child', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('kept');
  });

  test('a restart finds a transient layer as any other, and tells that it is one', async () => {
    await layer('lasting', undefined, (root) => writeFile(join(root, 'file'), 'kept'));
    await driver().create('passing', 'lasting', { transient: true });
    expect(await driver().list({ transient: true })).toEqual(['passing']);
    await driver().close();
    await reopen();
    try {
      expect(await driver().reconcile(new Set())).toEqual([]);
      expect(await driver().list({ transient: true })).toEqual(['passing']);
      expect(await see('passing', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('kept');
    } finally {
      await driver().remove('passing');
    }
    expect(await driver().list()).toEqual(['lasting']);
  });

  test('a second daemon on the same storage is refused', async () => {
    await expect(place().open()).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining(`process ${process.pid} `),
    });
  });

  test('a damaged record is set aside, said, and does not stop the others', async () => {
    await layer('whole');
    await driver().close();
    await writeFile(join(place().home, 'records', 'broken.json'), '{"version":1,"id":"bro');
    await reopen();
    expect((await driver().reconcile(new Set())).join('\n')).toContain('layer broken is damaged');
    expect(await driver().list()).toEqual(['whole']);
    await driver().remove('broken');
    expect((await readdir(join(place().home, 'records'))).filter((file) => file.includes('broken'))).toEqual(
      [],
    );
    expect(await driver().reconcile(new Set())).toEqual([]);
  });

  for (const point of ['make:before', 'make:after', 'made:before', 'made:after'] as const) {
    test(`a crash in create, at ${point}, leaves the layer whole or absent`, async () => {
      await layer('base', undefined, (root) => writeFile(join(root, 'file'), 'base'));
      await driver().close();
      await crash(point, 'create', 'half', 'base');
      await reopen();
      await driver().reconcile(new Set());
      const whole = (await driver().list()).includes('half');
      expect(whole).toBe(point.startsWith('made'));
      if (!whole) await driver().create('half', 'base');
      try {
        expect(await see('half', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('base');
        await driver().create('next', 'half');
        await driver().remove('next');
      } finally {
        await driver().remove('half');
      }
      expect(await driver().reconcile(new Set())).toEqual([]);
    });
  }

  for (const point of ['destroy:before', 'destroy:after'] as const) {
    test(`a crash in remove, at ${point}, ends with the layer absent`, async () => {
      await layer('base', undefined, (root) => writeFile(join(root, 'file'), 'base'));
      await driver().create('half', 'base');
      await driver().close();
      await crash(point, 'remove', 'half');
      await reopen();
      expect((await driver().reconcile(new Set())).join('\n')).toContain('half');
      expect(await driver().list()).toEqual(['base']);
      await driver().create('half', 'base');
      await driver().remove('half');
    });
  }

  async function crash(point: string, verb: string, ...layers: LayerId[]): Promise<void> {
    const child = place().daemon(point, verb, ...layers);
    const words: string[] = [];
    child.stderr.on('data', (chunk: Buffer) => words.push(chunk.toString()));
    const [code, signal] = await once(child, 'close');
    expect({ code, signal, words: words.join('') }).toEqual({ code: null, signal: 'SIGKILL', words: '' });
  }
}
