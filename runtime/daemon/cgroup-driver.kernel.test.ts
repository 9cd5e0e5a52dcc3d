import { existsSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { expect, test } from 'vitest';
import { findHierarchies } from '../cgroups/hierarchies.ts';
import { properties } from '../cgroups/systemd/systemctl-fixture.ts';
import { testParent } from '../cgroups/test-parent.ts';
import { recordFiles } from '../containers/record-files.ts';
import { whyNoDaemon } from './daemon-fixture.ts';
import { describeDaemon, statusOf } from './daemon-suite.ts';

const booted = existsSync('/run/systemd/system');
const hierarchies = await findHierarchies().catch(() => []);
const MiB = 1024 * 1024;
const systemd = ['--exec-opt', 'native.cgroupdriver=systemd'];

describeDaemon(
  'another cgroup driver while containers run',
  { why: whyNoDaemon() || (booted ? '' : 'systemd does not run') },
  (world) => {
    const { create } = world;
    const start = async (HostConfig: Docker.HostConfig = {}) => {
      const container = await create(['sleep', '1000'], { HostConfig });
      await container.start();
      return container;
    };
    const pidOf = async (container: Docker.Container) => (await container.inspect()).State.Pid;
    const unitOf = ({ id }: Docker.Container) => `${world.daemon.cgroupParent}-${id}.scope`;
    const plainPathOf = ({ id }: Docker.Container) => `${world.daemon.cgroupParent}/${id}`;
    const scopePathOf = (container: Docker.Container) => `system.slice/${unitOf(container)}`;
    const groups = (path: string) =>
      hierarchies.map(({ root }) => join(root, path)).filter((folder) => existsSync(folder));

    async function groupsOf(container: Docker.Container): Promise<string> {
      return readFileSync(`/proc/${await pidOf(container)}/cgroup`, 'utf8');
    }

    /** All that a daemon does with a group, whoever made it. */
    async function expectInCharge(container: Docker.Container, path: string): Promise<void> {
      expect(await groupsOf(container)).toContain(`:/${path}\n`);
      await container.update({ Memory: 96 * MiB, MemorySwap: 96 * MiB });
      expect((await container.stats({ stream: false })).memory_stats.limit).toBe(96 * MiB);
      await container.pause();
      expect((await container.inspect()).State.Status).toBe('paused');
      await container.unpause();
      expect(await groupOfExec(container)).toContain(`:/${path}\n`);
      expect((await container.top()).Processes).toHaveLength(1);
    }

    async function groupOfExec(container: Docker.Container): Promise<string> {
      const exec = await container.exec({ Cmd: ['sleep', '7777'], AttachStdout: true });
      const stream = await exec.start({});
      stream.resume();
      const { Pid } = await exec.inspect();
      try {
        return readFileSync(`/proc/${Pid}/cgroup`, 'utf8');
      } finally {
        const ended = new Promise((resolve) => stream.once('end', resolve));
        process.kill(Pid, 'SIGKILL');
        await ended;
      }
    }

    async function damage({ id }: Docker.Container): Promise<void> {
      for (const name of [recordFiles.record, recordFiles.fallBack])
        await writeFile(join(world.daemon.dataRoot, 'containers', id, name), '{"format":1');
    }

    test('to systemd: running containers keep hull’s groups, new runs are scopes', async () => {
      const [kept, below, lost] = [
        await start(),
        await start({ CgroupParent: `/${testParent}` }),
        await start(),
      ];
      const [before, lostPid] = [await pidOf(kept), await pidOf(lost)];
      await world.daemon.kill();
      await damage(lost);
      await world.daemon.up(...systemd);
      expect(await world.docker.info()).toMatchObject({ CgroupDriver: 'systemd' });
      expect(await pidOf(kept)).toBe(before);
      expect(existsSync(`/proc/${lostPid}/exe`)).toBe(false);
      expect(groups(plainPathOf(lost))).toEqual([]);
      await expectInCharge(kept, plainPathOf(kept));
      await expectInCharge(below, `${testParent}/${below.id}`);
      const fresh = await start();
      expect(await groupsOf(fresh)).toContain(`:/${scopePathOf(fresh)}\n`);
      await kept.stop({ t: 0 });
      expect(groups(plainPathOf(kept))).toEqual([]);
      await kept.start();
      expect(await groupsOf(kept)).toContain(`:/${scopePathOf(kept)}\n`);
      await below.kill();
      await below.wait();
      expect(groups(testParent)).toEqual([]);
      // The parent that it asks for is none for systemd: it cannot be started, and removed it can be.
      expect(await statusOf(below.start())).toBe(400);
      await below.remove();
      await world.daemon.kill();
      await world.daemon.up();
    });

    test('from systemd: scopes stay scopes, new runs have hull’s groups', async () => {
      await world.daemon.stop();
      await world.daemon.up(...systemd);
      const [kept, lost, ended] = [await start(), await start(), await start()];
      const [before, lostPid, endedPid] = [await pidOf(kept), await pidOf(lost), await pidOf(ended)];
      await world.daemon.kill();
      await rm(join(world.daemon.dataRoot, 'containers', lost.id), { recursive: true });
      process.kill(endedPid, 'SIGKILL');
      await world.daemon.up();
      expect(await world.docker.info()).toMatchObject({ CgroupDriver: 'cgroupfs' });
      expect(await pidOf(kept)).toBe(before);
      expect(existsSync(`/proc/${lostPid}/exe`)).toBe(false);
      expect((await ended.inspect()).State).toMatchObject({ Running: false, ExitCode: 137 });
      for (const container of [lost, ended]) {
        expect(groups(scopePathOf(container))).toEqual([]);
        expect(properties(unitOf(container)).LoadState).toBe('not-found');
      }
      await expectInCharge(kept, scopePathOf(kept));
      // systemd knows the new limit too.
      expect(Object.values(properties(unitOf(kept)))).toContain(String(96 * MiB));
      await kept.restart({ t: 0 });
      expect(await groupsOf(kept)).toContain(`:/${plainPathOf(kept)}\n`);
      expect(groups(scopePathOf(kept))).toEqual([]);
      expect(properties(unitOf(kept)).LoadState).toBe('not-found');
    });
  },
);
