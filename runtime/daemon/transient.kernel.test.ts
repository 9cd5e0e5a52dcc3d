import { once } from 'node:events';
import { readdir, readFile, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describeDaemon, forever, statusOf, until } from './daemon-suite.ts';

/** Of a container that removes itself: nothing of it is flushed, so a power cut may leave any of this. */
const left = {
  record: [
    'whole',
    'empty',
    'under its old name',
    'empty, under its old name',
    'absent',
    'absent with its folder',
  ],
  layer: [
    'whole',
    'empty',
    'under its old name',
    'empty, under its old name',
    'absent',
    'without its folder',
  ],
} as const;

for (const driver of ['overlay', 'vfs']) {
  describeDaemon(`containers that remove themselves, on ${driver}`, { driver }, (world) => {
    const home = () => join(world.daemon.dataRoot, driver);
    const layers = () => join(home(), driver === 'overlay' ? 'l' : 'layers');
    const files = async () => ({
      containers: await readdir(join(world.daemon.dataRoot, 'containers')),
      records: await readdir(join(home(), 'records')),
      layers: await readdir(layers()),
    });

    async function cut(path: string, before: string, what: string): Promise<void> {
      if (what.startsWith('absent')) await rm(path);
      if (what.startsWith('empty')) await truncate(path);
      if (what.endsWith('old name')) await rename(path, before);
    }

    test('what a power cut leaves of one is removed by the next start', async () => {
      const before = await files();
      const all = left.record.flatMap((record) => left.layer.map((layer) => ({ record, layer })));
      const made = [];
      for (const _ of all) made.push(await world.create(forever, { HostConfig: { AutoRemove: true } }));
      await world.daemon.kill();
      for (const [index, { record, layer }] of all.entries()) {
        const id = made[index]?.id ?? '';
        const folder = join(world.daemon.dataRoot, 'containers', id);
        await cut(join(folder, 'transient.json'), join(folder, 'creating.json'), record);
        if (record === 'absent with its folder') await rm(folder, { recursive: true });
        const path = join(home(), 'records', `${id}.json`);
        const { key } = JSON.parse(await readFile(`${path}.transient`, 'utf8'));
        if (layer === 'without its folder') await rm(join(layers(), key), { recursive: true });
        else await cut(`${path}.transient`, `${path}.creating`, layer);
      }
      await world.daemon.up();
      expect(await world.docker.listContainers({ all: true })).toEqual([]);
      // The small rest goes in the moment after.
      await until(async () => (await files()).records.length <= before.records.length);
      expect(await files()).toEqual(before);
    });

    test('all that is done to others can be done to one that runs: also a restart, and by the next daemon', async () => {
      const container = await world.create(forever, { HostConfig: { AutoRemove: true } });
      // Its layer is mounted for that, before its first start.
      await (await container.getArchive({ path: '/etc/passwd' })).resume();
      await container.start();
      await container.pause();
      await container.unpause();
      const exec = await container.exec({ Cmd: ['sh', '-c', 'echo kept > /kept'], AttachStdout: true });
      await once((await exec.start({})).resume(), 'close');
      expect(await container.changes()).toContainEqual({ Kind: 1, Path: '/kept' });
      const { Id } = await container.commit({ repo: 'kept' });
      await world.daemon.kill();
      await world.daemon.up();
      await container.restart({ t: 5 });
      expect((await container.inspect()).State.Running).toBe(true);
      expect(await container.changes()).toContainEqual({ Kind: 1, Path: '/kept' });
      await container.rename({ name: 'renamed' });
      await world.daemon.kill();
      await world.daemon.up();
      expect((await container.inspect()).Name).toBe('/renamed');
      const removed = container.wait({ condition: 'removed' });
      await container.stop({ t: 5 });
      expect(await removed).toMatchObject({ StatusCode: 5 });
      expect(await statusOf(container.inspect())).toBe(404);
      expect(await world.daemon.leftovers()).toEqual([]);
      await world.docker.getImage(Id).remove();
    });

    test('SIGKILL of the daemon at any moment of a start: it runs on, or is gone', async () => {
      for (let delay = 0; delay < 60; delay += 20) {
        const container = await world.create(forever, { HostConfig: { AutoRemove: true } });
        const starting = container.start().catch(() => undefined);
        await sleep(delay);
        await world.daemon.kill();
        await starting;
        await world.daemon.up();
        if ((await statusOf(container.inspect())) === 200) {
          expect((await container.inspect()).State.Running).toBe(true);
          await container.stop({ t: 5 });
          expect(await statusOf(container.wait({ condition: 'removed' }))).toBeOneOf([200, 404]);
        }
        expect(await world.daemon.leftovers()).toEqual([]);
      }
    }, 300_000);

    test('SIGKILL of the daemon at any moment of its life: the next daemon leaves nothing', async () => {
      const before = await files();
      for (let delay = 0; delay < 60; delay += 20) {
        const container = await world.create(['true'], { HostConfig: { AutoRemove: true } });
        const starting = container.start().catch(() => undefined);
        await sleep(delay);
        await world.daemon.kill();
        await starting;
        await world.daemon.up();
        await container.wait({ condition: 'removed' }).catch(() => undefined);
        expect(await statusOf(container.inspect())).toBe(404);
        expect(await world.daemon.leftovers()).toEqual([]);
        expect((await files()).containers).toEqual(before.containers);
      }
    }, 300_000);
  });
}
