import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { findHierarchies } from '../cgroups/hierarchies.ts';
import { testParent } from '../cgroups/test-parent.ts';
import { whyNoDaemon } from './daemon-fixture.ts';
import { describeDaemon } from './daemon-suite.ts';

const v2 = (await findHierarchies().catch(() => [])).find(({ version }) => version === 2);
const why = whyNoDaemon() || (v2?.controllers.includes('memory') ? '' : 'v2 has no memory controller here');
const root = v2?.root ?? '';
const unit = `${testParent}-unit`;
const folder = join(root, unit);
const groupOf = (pid: number | 'self') =>
  readFileSync(`/proc/${pid}/cgroup`, 'utf8').match(/^0::\/(.*)$/m)?.[1] ?? '';

describeDaemon(
  'a daemon in the cgroup that its containers are below, as systemd’s Delegate=yes has it',
  { why },
  (world) => {
    let neighbour: ChildProcess | undefined;

    /** As an init system does it: the daemon is in the group from its first instruction on. */
    async function startInUnit(): Promise<void> {
      await world.daemon.stop();
      const home = join(root, groupOf('self'), 'cgroup.procs');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'cgroup.procs'), '0');
      const ready = world.daemon.up('--cgroup-parent', `/${unit}`);
      writeFileSync(home, '0');
      await ready;
    }

    const start = async (Memory: number) => {
      const container = await world.create(['sleep', '1000'], { HostConfig: { Memory } });
      await container.start();
      return container;
    };

    afterEach(async () => {
      await world.clear();
      if (neighbour) {
        const ended = once(neighbour, 'exit');
        neighbour.kill('SIGKILL');
        await ended;
        neighbour = undefined;
      }
      await world.daemon.stop();
      for (const group of [join(folder, 'hull-daemon'), folder]) if (existsSync(group)) rmdirSync(group);
    });

    test('moves into a leaf, and limits hold', async () => {
      await startInUnit();
      expect(groupOf(world.daemon.pid)).toBe(`${unit}/hull-daemon`);
      const container = await start(64 << 20);
      const own = `${unit}/${world.daemon.cgroupParent}/${container.id}`;
      expect(groupOf((await container.inspect()).State.Pid)).toBe(own);
      expect(readFileSync(join(root, own, 'memory.max'), 'utf8')).toBe(`${64 << 20}\n`);
      await container.remove({ force: true });
      expect(existsSync(join(folder, world.daemon.cgroupParent))).toBe(false);
    });

    test('beside another process it stays, says so, and runs containers without limits only', async () => {
      mkdirSync(folder);
      neighbour = spawn('sleep', ['1000']);
      writeFileSync(join(folder, 'cgroup.procs'), String(neighbour.pid));
      await startInUnit();
      expect(groupOf(world.daemon.pid)).toBe(unit);
      expect(await world.daemon.log()).toMatch(
        new RegExp(
          `level=warn msg="containers can have no limits of v2.* others="${neighbour.pid} \\(sleep\\)"`,
        ),
      );
      await expect(start(64 << 20)).rejects.toMatchObject({
        message: expect.stringMatching(
          new RegExp(`no-internal-process rule\\): .*${neighbour.pid} \\(sleep\\)`),
        ),
      });
      const container = await start(0);
      expect((await container.inspect()).State.Running).toBe(true);
    });
  },
);
