import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { coveringMount, readMountInfo } from '../kernel/mountinfo.ts';
import { holdMounts } from '../launch/hold-mounts.ts';
import { stagedRoot } from '../launch/mount-steps.ts';
import type { Subject } from './conformance.ts';

/** Nothing that somebody still uses is given away, and they are named. */
export function describeHolders({ driver, layer, place, see, test }: Subject): void {
  test('a mounted root is refused to a second user, who learns of the first', async () => {
    await layer('held');
    const { mounts, lockPath } = await driver().acquire('held');
    const held = await holdMounts(mounts, { lockPath });
    try {
      for (const verb of ['acquire', 'release', 'remove'] as const) {
        await expect(driver()[verb]('held')).rejects.toMatchObject({
          kind: 'busy',
          message: expect.stringContaining(`process ${held.pid} `),
        });
      }
    } finally {
      await held[Symbol.asyncDispose]();
    }
    await driver().release('held');
    expect(await see('held', (root) => readdir(root))).toEqual([]);
  });

  test('a process that stays in the mount namespace keeps the layer busy and is named', async () => {
    await layer('leaked', undefined, (root) => writeFile(join(root, 'file'), 'x'));
    await layer('leaked-child', 'leaked');
    const { mounts, lockPath } = await driver().acquire('leaked-child');
    const held = await holdMounts(mounts, { lockPath });
    const leak = spawn('nsenter', ['--target', String(held.pid), '--mount', 'sleep', '1000'], {
      stdio: 'ignore',
    });
    const ended = once(leak, 'exit');
    try {
      await becomes(leak.pid, 'sleep');
      await held[Symbol.asyncDispose]();
      for (const verb of ['acquire', 'release', 'remove'] as const) {
        await expect(driver()[verb]('leaked-child')).rejects.toMatchObject({
          kind: 'busy',
          message: expect.stringContaining(`process ${leak.pid} (sleep)`),
        });
      }
      expect(await driver().list()).toContain('leaked-child');
    } finally {
      leak.kill('SIGKILL');
      await ended;
    }
    await driver().release('leaked-child');
    expect(await see('leaked-child', (root) => readdir(root))).toEqual(['file']);
  });

  test('an open file that pins the layer is named, where it pins', async () => {
    await layer('pinned-base', undefined, (root) => writeFile(join(root, 'file'), 'x'));
    await layer('pinned', 'pinned-base');
    const { mounts, lockPath } = await driver().acquire('pinned');
    const held = await holdMounts(mounts, { lockPath });
    const pin = spawn('sh', ['-c', 'exec sleep 1000 <"$1"', 'sh', `${held.path}/file`], {
      stdio: 'ignore',
    });
    const ended = once(pin, 'exit');
    try {
      await becomes(pin.pid, 'sleep');
      // By mountinfo: stat tells each btrfs subvolume as a device of its own.
      const seen = readMountInfo(held.pid).findLast(({ mountPoint }) => mountPoint === stagedRoot);
      const home = coveringMount(readMountInfo('self'), place().home);
      const ownFileSystem = seen?.major !== home?.major || seen?.minor !== home?.minor;
      await held[Symbol.asyncDispose]();
      const refused = driver().capabilities.hostWide
        ? (['release', 'acquire', 'remove'] as const)
        : ownFileSystem
          ? (['acquire'] as const)
          : [];
      if (refused.length > 0) {
        for (const verb of refused) {
          await expect(driver()[verb]('pinned')).rejects.toMatchObject({
            kind: 'busy',
            message: expect.stringContaining(`process ${pin.pid} (sleep) has`),
          });
        }
      } else {
        await driver().release('pinned');
      }
    } finally {
      pin.kill('SIGKILL');
      await ended;
    }
    await driver().release('pinned');
    expect(await see('pinned', (root) => readFile(join(root, 'file'), 'utf8'))).toBe('x');
  });
}

/** Waits until the process has become the program (its `exec` is done). */
async function becomes(pid: number | undefined, comm: string): Promise<void> {
  await expect
    .poll(async () => (await readFile(`/proc/${pid}/comm`, 'utf8')).trim(), { timeout: 30_000 })
    .toBe(comm);
}
