import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TestDaemon, testImage, whyNoDaemon } from './daemon-fixture.ts';

const reason = whyNoDaemon();

describe.skipIf(reason !== '')(`on a full disk${reason && ` (skipped: ${reason})`}`, () => {
  let disk: string;
  let started: TestDaemon | undefined;

  beforeEach(async () => {
    disk = await realpath(await mkdtemp(join(tmpdir(), 'hull-full-')));
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=48M', 'small', disk]);
    // The daemon makes its folder there.
    vi.stubEnv('TMPDIR', disk);
    started = undefined;
    const daemon = await TestDaemon.start('overlay');
    started = daemon;
    await daemon.loadImage();
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(join(disk, 'fill'), { force: true });
    try {
      await started?.[Symbol.asyncDispose]();
      expect(await started?.kernelLeftovers()).toEqual([]);
    } finally {
      await execa('umount', ['--lazy', disk]);
      await rm(disk, { recursive: true });
    }
  });

  function theDaemon(): TestDaemon {
    if (!started) throw new Error('no daemon');
    return started;
  }

  async function fill(): Promise<void> {
    await writeFile(join(disk, 'fill'), Buffer.alloc(64 << 20, 1)).catch(() => undefined);
    await expect(writeFile(join(disk, 'more'), Buffer.alloc(8192))).rejects.toMatchObject({ code: 'ENOSPC' });
    await rm(join(disk, 'more'), { force: true });
    await writeFile(join(disk, 'fill'), Buffer.alloc(64 << 20, 1), { flag: 'a' }).catch(() => undefined);
  }

  test('a stopped container, a running one, and one that goes on writing are removed', async () => {
    const daemon = theDaemon();
    const create = async (script: string) => {
      const container = await daemon.docker.createContainer({ Image: testImage, Cmd: ['sh', '-c', script] });
      await container.start();
      return container;
    };
    const stopped = await create('exit 3');
    await stopped.wait();
    const running = await create('sleep 1000');
    const writing = await create('while :; do echo more >>/file 2>/dev/null; done');
    const ended = await create('sleep 1000');
    await fill();
    await ended.stop({ t: 0 });
    expect((await ended.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 137 });
    for (const container of [stopped, writing, running, ended]) await container.remove({ force: true });
    expect(await daemon.docker.listContainers({ all: true })).toEqual([]);
    expect(await daemon.leftovers()).toEqual([]);
  });

  test('a daemon that is killed after an end it could not write down finds that end', async () => {
    const daemon = theDaemon();
    const container = await daemon.docker.createContainer({ Image: testImage, Cmd: ['sleep', '1000'] });
    await container.start();
    await fill();
    // Gives up the reserve before it is needed.
    await rm(join(daemon.dataRoot, 'containers.reserve'), { force: true });
    await fill();
    await container.kill();
    await daemon.kill();
    await rm(join(disk, 'fill'), { force: true });
    await daemon.up();
    expect((await container.inspect()).State).toMatchObject({ Status: 'exited', Running: false });
    await container.remove();
    expect(await daemon.leftovers()).toEqual([]);
  });
});
