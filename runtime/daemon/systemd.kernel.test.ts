import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterAll, expect, test } from 'vitest';
import { findHierarchies } from '../cgroups/hierarchies.ts';
import { properties, systemctl } from '../cgroups/systemd/systemctl-fixture.ts';
import { whyNoDaemon } from './daemon-fixture.ts';
import { describeDaemon, until } from './daemon-suite.ts';

const booted = existsSync('/run/systemd/system');
const slice = 'hulltest-daemon.slice';
const path = `hulltest.slice/${slice}`;
const MiB = 1024 * 1024;
const greedy = 'busybox dd if=/dev/zero of=/dev/null bs=64M count=1';

describeDaemon(
  'containers as scopes of systemd',
  {
    options: ['--exec-opt', 'native.cgroupdriver=systemd', '--cgroup-parent', slice],
    why: whyNoDaemon() || (booted ? '' : 'systemd does not run'),
  },
  (world) => {
    afterAll(() => {
      // systemd keeps slices that were needed once.
      for (const name of [slice, 'hulltest.slice']) systemctl('stop', name);
    });

    const unitOf = ({ id }: Docker.Container) => `${world.daemon.cgroupParent}-${id}.scope`;
    const start = async (HostConfig: Docker.HostConfig = {}, command = ['sleep', '1000']) => {
      const container = await world.create(command, { HostConfig });
      await container.start();
      return container;
    };
    const pidOf = async (container: Docker.Container) => (await container.inspect()).State.Pid;

    test('a container is a scope in the slice, systemd knows its limits, and nothing is left of it', async () => {
      expect(await world.docker.info()).toMatchObject({ CgroupDriver: 'systemd' });
      const container = await start({ Memory: 64 * MiB, NanoCpus: 500_000_000, PidsLimit: 1 });
      const unit = unitOf(container);
      const groups = readFileSync(`/proc/${await pidOf(container)}/cgroup`, 'utf8');
      expect(groups).toContain(`:/${path}/${unit}\n`);
      expect(properties(unit)).toMatchObject({ CPUQuotaPerSecUSec: '500ms', TasksMax: '1', Slice: slice });
      expect((await container.top()).Processes).toHaveLength(1);
      await container.update({ Memory: 96 * MiB, MemorySwap: 96 * MiB, PidsLimit: 20 });
      systemctl('daemon-reload');
      expect(properties(unit)).toMatchObject({ TasksMax: '20' });
      expect((await container.stats({ stream: false })).memory_stats.limit).toBe(96 * MiB);
      await container.pause();
      await container.unpause();
      await container.kill();
      await container.wait();
      expect(await left(unit)).toEqual([]);
      // The same name again.
      await container.start();
      expect(properties(unit).ActiveState).toBe('active');
      await container.remove({ force: true });
      expect(await left(unit)).toEqual([]);
    });

    test('a start that fails leaves no scope', async () => {
      const container = await world.create(['/none']);
      await expect(container.start()).rejects.toMatchObject({ statusCode: 400 });
      expect(await left(unitOf(container))).toEqual([]);
      expect((await container.inspect()).State.Error).not.toContain('busy');
    });

    test('a next daemon takes containers over, ends one without a record, and clears what has ended meanwhile', async () => {
      const [kept, lost, ended] = [await start(), await start(), await start()];
      const [before, lostPid, endedPid] = [await pidOf(kept), await pidOf(lost), await pidOf(ended)];
      await world.daemon.kill();
      await rm(join(world.daemon.dataRoot, 'containers', lost.id), { recursive: true });
      process.kill(endedPid, 'SIGKILL');
      await world.daemon.up();
      expect((await kept.inspect()).State).toMatchObject({ Running: true, Pid: before });
      expect(existsSync(`/proc/${lostPid}/exe`)).toBe(false);
      expect((await ended.inspect()).State).toMatchObject({ Running: false, ExitCode: 137 });
      for (const container of [lost, ended]) expect(await left(unitOf(container))).toEqual([]);
      await kept.stop({ t: 0 });
      expect(await left(unitOf(kept))).toEqual([]);
    });

    test('CgroupParent is a slice', async () => {
      const container = await start({ CgroupParent: 'hulltest-other.slice' });
      expect(properties(unitOf(container)).Slice).toBe('hulltest-other.slice');
      await container.remove({ force: true });
      systemctl('stop', 'hulltest-other.slice');
      await expect(start({ CgroupParent: '/hulltest' })).rejects.toMatchObject({
        statusCode: 400,
        message: expect.stringContaining('should be a valid slice named as "xxx.slice"'),
      });
    });

    test('tells of the OOM killer where its kill is the end, however soon systemd removes the group', async () => {
      const limits = { Memory: 16 * MiB, MemorySwap: 16 * MiB };
      for (const [command, ExitCode] of [
        [`exec ${greedy}`, 137],
        [`${greedy}; exit 3`, 3],
      ] as const) {
        const container = await start(limits, ['sh', '-c', command]);
        for (let round = 1; round <= 6; round++) {
          if (round > 1) await container.start();
          await container.wait();
          expect((await container.inspect()).State).toMatchObject({ OOMKilled: true, ExitCode });
        }
      }
    });

    test('tells of the OOM killer where no daemon was there at the end, and not of an earlier run’s', async () => {
      const limits = { Memory: 16 * MiB, MemorySwap: 16 * MiB };
      const wait = 'until test -e /go; do sleep 0.1; done';
      const struck = await start(limits, ['sh', '-c', `${wait}; ${greedy}; exit 3`]);
      const first = `test -e /done || { : > /done; exec ${greedy}; }`;
      const calm = await start(limits, ['sh', '-c', `${first}; ${wait}`]);
      await calm.wait();
      expect((await calm.inspect()).State).toMatchObject({ OOMKilled: true, ExitCode: 137 });
      await calm.start();
      const pids = [await pidOf(struck), await pidOf(calm)];
      await world.daemon.kill();
      for (const pid of pids) writeFileSync(`/proc/${pid}/root/go`, '');
      for (const pid of pids) await until(async () => !existsSync(`/proc/${pid}/exe`));
      for (const container of [struck, calm])
        await until(async () => !existsSync(`/run/systemd/transient/${unitOf(container)}`));
      await world.daemon.up();
      expect((await struck.inspect()).State).toMatchObject({ OOMKilled: true, ExitCode: 3 });
      expect((await calm.inspect()).State).toMatchObject({ OOMKilled: false, ExitCode: 0 });
    });

    test('tells of the OOM killer when systemd has removed the group', async () => {
      // A child is killed; what the shell waits for afterwards is the time in which the kernel's count can be seen.
      const command = ['sh', '-c', `${greedy}; sleep 3`];
      const container = await start({ Memory: 16 * MiB, MemorySwap: 16 * MiB }, command);
      await container.wait();
      expect((await container.inspect()).State).toMatchObject({ OOMKilled: true, ExitCode: 0 });
      const calm = await start({ Memory: 16 * MiB }, ['true']);
      await calm.wait();
      expect((await calm.inspect()).State).toMatchObject({ OOMKilled: false, ExitCode: 0 });
    });

    /** Of a container: its unit, and its groups in all hierarchies. */
    async function left(unit: string): Promise<readonly string[]> {
      const folders = (await findHierarchies()).map(({ root }) => join(root, path, unit));
      const units = properties(unit).LoadState === 'not-found' ? [] : [unit];
      return [...units, ...folders.filter((folder) => existsSync(folder))];
    }
  },
);
