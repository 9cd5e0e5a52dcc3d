import { existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterEach, expect, test } from 'vitest';
import { findHierarchies } from '../cgroups/hierarchies.ts';
import { testParent } from '../cgroups/test-parent.ts';
import { recordFiles } from '../containers/record-files.ts';
import { describeDaemon } from './daemon-suite.ts';

const hierarchies = await findHierarchies().catch(() => []);
const parent = testParent;
const folders = (path: string) => hierarchies.map(({ root }) => join(root, path));
const there = (path: string) => folders(path).filter((folder) => existsSync(folder));

describeDaemon('the parent of a container’s cgroup', {}, (world) => {
  afterEach(() => {
    // What the suite before this has not removed is a finding: only groups without processes and children go.
    for (const folder of [...there(`${parent}/inner`), ...there(parent)]) rmdirSync(folder);
  });

  async function start(CgroupParent = ''): Promise<Docker.Container> {
    const container = await world.create(['sleep', '1000'], { HostConfig: { CgroupParent } });
    await container.start();
    return container;
  }

  /** A v1 hierarchy that hull does not use (perf_event …) leaves the process where it was. */
  async function groupsOf(container: Docker.Container): Promise<readonly string[]> {
    const { Pid } = (await container.inspect()).State;
    return readFileSync(`/proc/${Pid}/cgroup`, 'utf8').trim().split('\n');
  }

  test('--cgroup-parent of the daemon: made, and gone with the last container', async () => {
    await world.daemon.stop();
    await world.daemon.up('--cgroup-parent', `/${parent}/inner`);
    const container = await start();
    const own = `:/${parent}/inner/${world.daemon.cgroupParent}/${container.id}`;
    expect((await groupsOf(container)).some((line) => line.endsWith(own))).toBe(true);
    expect(there(parent)).toHaveLength(hierarchies.length);
    await container.remove({ force: true });
    expect(there(parent)).toEqual([]);
    await world.daemon.stop();
    await world.daemon.up();
  });

  test('another --cgroup-parent while containers run: each keeps its group to its end', async () => {
    const first = await start();
    await world.daemon.kill();
    await world.daemon.up('--cgroup-parent', `/${parent}/inner`);
    const second = await start();
    await world.daemon.kill();
    await world.daemon.up();
    const own = world.daemon.cgroupParent;
    for (const [container, path] of [
      [first, `:/${own}/${first.id}`],
      [second, `:/${parent}/inner/${own}/${second.id}`],
    ] as const) {
      expect((await groupsOf(container)).some((line) => line.endsWith(path))).toBe(true);
      await container.pause();
      await container.unpause();
      expect((await container.top()).Processes).toHaveLength(1);
    }
    // A next run is where the daemon of then makes it.
    await second.restart({ t: 0 });
    expect((await groupsOf(second)).some((line) => line.endsWith(`:/${own}/${second.id}`))).toBe(true);
    expect(there(parent)).toEqual([]);
  });

  test.each([`/${parent}/inner`, `${parent}//inner/`])('HostConfig.CgroupParent %j', async (path) => {
    const [first, second] = [await start(path), await start(path)];
    expect((await first.inspect()).HostConfig.CgroupParent).toBe(path);
    for (const container of [first, second]) {
      const own = `:/${parent}/inner/${container.id}`;
      expect((await groupsOf(container)).some((line) => line.endsWith(own))).toBe(true);
    }
    await first.pause();
    await first.unpause();
    expect((await first.top()).Processes).toHaveLength(1);
    await first.remove({ force: true });
    expect(there(`${parent}/inner`)).toHaveLength(hierarchies.length);
    await second.kill();
    await second.wait();
    expect(there(parent)).toEqual([]);
  });

  test('a parent that was there before stays, with what its owner has set', async () => {
    for (const folder of folders(parent)) mkdirSync(folder);
    const container = await start(`/${parent}/inner`);
    await container.remove({ force: true });
    expect(there(parent)).toHaveLength(hierarchies.length);
    expect(there(`${parent}/inner`)).toEqual([]);
  });

  test('a path that would leave the hierarchy is refused', async () => {
    await expect(start('/a/../../b')).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringContaining('found ".."'),
    });
  });

  test('a next daemon takes the container over, also below its own groups, and ends one whose record is damaged', async () => {
    const own = await start(`${world.daemon.cgroupParent}/inner`);
    const damaged = await start(parent);
    const [{ State: before }, { State: lost }] = [await own.inspect(), await damaged.inspect()];
    await world.daemon.kill();
    const folder = join(world.daemon.dataRoot, 'containers', damaged.id);
    for (const name of [recordFiles.record, recordFiles.fallBack])
      await writeFile(join(folder, name), '{"format":1');
    await world.daemon.up();
    expect((await own.inspect()).State).toMatchObject({ Running: true, Pid: before.Pid });
    expect((await damaged.inspect()).State.Status).toBe('dead');
    expect(there(parent)).toEqual([]);
    expect(existsSync(`/proc/${lost.Pid}/exe`)).toBe(false);
  });
});
