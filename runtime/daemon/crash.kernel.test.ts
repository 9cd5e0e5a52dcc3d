import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { describeDaemon, forever, statusOf, until } from './daemon-suite.ts';

for (const driver of ['overlay', 'vfs']) {
  describeDaemon(`crashes on ${driver}`, { driver }, (world) => {
    test('SIGKILL of the daemon: the container goes on and is taken over', async () => {
      const container = await world.create(forever, { name: 'survivor' });
      await container.start();
      const { Pid } = (await container.inspect()).State;
      const log = join(world.daemon.dataRoot, 'containers', container.id, 'log');
      await world.daemon.kill();
      const before = (await readFile(log, 'latin1')).length;
      await sleep(500);
      expect((await readFile(log, 'latin1')).length).toBeGreaterThan(before);
      await world.daemon.up();
      expect((await container.inspect()).State).toMatchObject({ Running: true, Pid });
      const waiting = container.wait();
      await container.stop({ t: 10 });
      expect(await waiting).toMatchObject({ StatusCode: 5 });
      await container.start();
      expect((await container.inspect()).State.Pid).not.toBe(Pid);
      await container.remove({ force: true });
      expect(await world.daemon.leftovers()).toEqual([]);
    });

    test('what ended while the daemon was dead is known with its code and time', async () => {
      const container = await world.create(['sh', '-c', 'sleep 0.5; exit 17']);
      const killed = await world.create(forever);
      const removing = await world.create(['sleep', '0.5'], { HostConfig: { AutoRemove: true } });
      for (const one of [container, killed, removing]) await one.start();
      const { Pid } = (await killed.inspect()).State;
      await world.daemon.kill();
      process.kill(Pid, 'SIGKILL');
      await sleep(800);
      const restarted = Date.now();
      await world.daemon.up();
      const { State } = await container.inspect();
      expect(State).toMatchObject({ Status: 'exited', ExitCode: 17 });
      expect(Date.parse(State.FinishedAt)).toBeLessThan(restarted);
      expect((await killed.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 137 });
      expect(await statusOf(removing.inspect())).toBe(404);
      await container.start();
      expect(await container.wait()).toMatchObject({ StatusCode: 17 });
    });

    test('killed in the removal of a cgroup: the empty parent that stayed is removed', async () => {
      const container = await world.create(forever);
      await container.start();
      const { Pid } = (await container.inspect()).State;
      await world.daemon.kill();
      process.kill(Pid, 'SIGKILL');
      const roots = ['.', ...(await readdir('/sys/fs/cgroup'))].map((name) => join('/sys/fs/cgroup', name));
      const parents = roots
        .map((root) => join(root, world.daemon.cgroupParent))
        .filter((path) => existsSync(path));
      expect(parents).not.toEqual([]);
      for (const parent of parents) {
        const group = join(parent, container.id);
        await until(
          async () =>
            !existsSync(group) ||
            (await rmdir(group).then(
              () => true,
              () => false,
            )),
        );
      }
      await world.daemon.up();
      expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 137 });
      expect(parents.filter((path) => existsSync(path))).toEqual([]);
    });

    test('a lost monitor: the container is killed and says so', async () => {
      const container = await world.create(forever);
      await container.start();
      const { Pid } = (await container.inspect()).State;
      const monitor = Number(/^PPid:\s+(\d+)/m.exec(await readFile(`/proc/${Pid}/status`, 'utf8'))?.[1]);
      expect(monitor).toBeGreaterThan(1);
      process.kill(monitor, 'SIGKILL');
      expect(await container.wait()).toMatchObject({ StatusCode: 137 });
      expect((await container.inspect()).State.Error).toMatch(/monitor lost/);
      expect(await world.daemon.kernelLeftovers()).toEqual([]);
    });

    test('a held root: the end is recorded, the holder named until it goes, then everything works', async () => {
      const container = await world.create(['sleep', '1000']);
      await container.start();
      const { Pid } = (await container.inspect()).State;
      const holder = spawn('nsenter', ['-t', String(Pid), '-m', '/bin/sleep', '1000']);
      try {
        await until(async () => (await readFile(`/proc/${holder.pid}/comm`, 'utf8')) === 'sleep\n');
        await container.stop({ t: 0 });
        expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 137 });
        const named = new RegExp(`${holder.pid}.*sleep|sleep.*${holder.pid}`);
        await expect(container.start()).rejects.toMatchObject({
          statusCode: 409,
          message: expect.stringMatching(named),
        });
        await expect(container.remove()).rejects.toMatchObject({
          statusCode: 409,
          message: expect.stringMatching(named),
        });
        expect((await container.inspect()).State).toMatchObject({
          Status: 'exited',
          Error: expect.stringMatching(named),
        });
        await world.daemon.kill();
        await world.daemon.up();
        await expect(container.start()).rejects.toMatchObject({
          statusCode: 409,
          message: expect.stringMatching(named),
        });
      } finally {
        holder.kill('SIGKILL');
        await once(holder, 'exit');
      }
      await container.start();
      await container.remove({ force: true });
    });

    test('SIGKILL of the daemon at any moment of a start or a stop leaves something that works', async () => {
      for (let delay = 0; delay < 60; delay += 6) {
        const container = await world.create(forever);
        const starting = container.start().catch(() => undefined);
        await sleep(delay);
        await world.daemon.kill();
        await starting;
        await world.daemon.up();
        const state = (await container.inspect()).State;
        if (!state.Running) await container.start();
        const stopping = container.stop({ t: 5 }).catch(() => undefined);
        await sleep(delay * 2);
        await world.daemon.kill();
        await stopping;
        await world.daemon.up();
        await container.stop({ t: 5 }).catch(() => undefined);
        expect((await container.inspect()).State.Running).toBe(false);
        await container.start();
        await container.remove({ force: true });
        expect(await world.daemon.leftovers()).toEqual([]);
      }
    }, 900_000);
  });
}
