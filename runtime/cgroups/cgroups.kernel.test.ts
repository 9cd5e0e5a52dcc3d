import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { access, constants, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { Cgroup, CgroupManager } from './cgroup.ts';
import { findHierarchies, type Hierarchy } from './hierarchies.ts';
import { openCgroups } from './open-cgroups.ts';
import { testParent } from './test-parent.ts';

const MiB = 1024 * 1024;
const parent = testParent;

const found = await findHierarchies().catch(() => []);
const writable = await Promise.all(
  found.map(({ root }) =>
    access(root, constants.W_OK).then(
      () => true,
      () => false,
    ),
  ),
);
const reason =
  found.length === 0
    ? 'no cgroup hierarchy mounted'
    : writable.includes(false)
      ? 'cgroups not writable, needs root'
      : '';

const children: ChildProcess[] = [];

function start(group: Cgroup, script: string): ChildProcess {
  const files = [
    ...group.entry.v1Procs,
    ...(group.entry.v2Dir ? [join(group.entry.v2Dir, 'cgroup.procs')] : []),
  ];
  const child = spawn('sh', [
    '-c',
    `for f in "$@"; do echo 0 > "$f" || exit 99; done; ${script}`,
    'sh',
    ...files,
  ]);
  children.push(child);
  return child;
}

async function until(condition: () => Promise<boolean>, timeoutMs = 5000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not true within ${timeoutMs} ms: ${condition}`);
    await sleep(5);
  }
}

const inGroup = (group: Cgroup, count: number) => until(async () => (await group.pids()).length === count);

async function leftovers(hierarchies: readonly Hierarchy[]): Promise<string[]> {
  const folders = hierarchies.map(({ root }) => join(root, parent));
  const there = await Promise.all(
    folders.map((folder) =>
      access(folder).then(
        () => true,
        () => false,
      ),
    ),
  );
  return folders.filter((_, index) => there[index]);
}

describe.skipIf(reason !== '')(`cgroups of this kernel${reason && ` (skipped: ${reason})`}`, () => {
  let cgroups: CgroupManager;
  const withGroups = (title: string, body: () => Promise<void>) =>
    test(title, { timeout: 20_000 }, async () => {
      cgroups = await openCgroups({ waits: { removeMs: 2_000 } });
      await body();
      expect(await leftovers(found)).toEqual([]);
    });

  afterEach(async () => {
    for (const path of await cgroups.list(parent)) {
      const group = cgroups.open(path);
      await group.kill(AbortSignal.timeout(5000));
      await group.remove();
    }
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  const read = async (controller: string, v1: string, v2: string, group: Cgroup): Promise<string> => {
    const home =
      found.find((each) => each.version === 1 && each.controllers.includes(controller)) ??
      found.find((each) => each.controllers.includes(controller));
    if (!home) throw new Error(`No ${controller} controller`);
    return (await readFile(join(home.root, group.path, home.version === 1 ? v1 : v2), 'utf8')).trim();
  };

  withGroups('limits are read back as set, and as updated', async () => {
    const group = await cgroups.create(`${parent}/limits`, {
      memory: { limit: 64 * MiB },
      cpu: { shares: 1024, quota: 50_000, period: 100_000 },
      pids: { limit: 20 },
    });
    expect(await read('memory', 'memory.limit_in_bytes', 'memory.max', group)).toBe(String(64 * MiB));
    expect(await read('cpu', 'cpu.shares', 'cpu.weight', group)).toMatch(/^(1024|100)$/);
    expect(await read('cpu', 'cpu.cfs_quota_us', 'cpu.max', group)).toMatch(/^50000( 100000)?$/);
    expect(await read('pids', 'pids.max', 'pids.max', group)).toBe('20');
    await group.update({ memory: { limit: 128 * MiB }, pids: { limit: -1 } });
    expect(await read('memory', 'memory.limit_in_bytes', 'memory.max', group)).toBe(String(128 * MiB));
    expect(await read('pids', 'pids.max', 'pids.max', group)).toBe('max');
    expect(await cgroups.list(parent)).toEqual([`${parent}/limits`]);
    await group.remove();
    expect(await group.exists()).toBe(false);
    await group.remove();
  });

  withGroups('features are what a group of this host has', async () => {
    const features = await cgroups.features();
    const group = await cgroups.create(`${parent}/features`, {});
    const files = found.flatMap(({ root }) => readdirSync(join(root, group.path)));
    const wanted: Partial<Record<keyof typeof features, RegExp>> = {
      memoryLimit: /^memory\.(limit_in_bytes|max)$/,
      swapLimit: /^memory\.(memsw\.limit_in_bytes|swap\.max)$/,
      memoryReservation: /^memory\.(soft_limit_in_bytes|low)$/,
      swappiness: /^memory\.swappiness$/,
      oomKillDisable: /^memory\.oom_control$/,
      cpuShares: /^cpu\.(shares|weight)$/,
      cpuQuota: /^cpu\.(cfs_quota_us|max)$/,
      pidsLimit: /^pids\.max$/,
      freezer: /^(freezer\.state|cgroup\.freeze)$/,
    };
    for (const [name, pattern] of Object.entries(wanted)) {
      const there = files.some((file) => pattern.test(file));
      expect(`${name} ${Object.entries(features).find(([key]) => key === name)?.[1]}`).toBe(
        `${name} ${there}`,
      );
    }
    await group.remove();
  });

  withGroups('swap limits go up and down', async () => {
    const { swapLimit } = await cgroups.features();
    if (!swapLimit) return;
    const group = await cgroups.create(`${parent}/swap`, { memory: { limit: 32 * MiB, swap: 64 * MiB } });
    for (const size of [128, 16, 256]) {
      await group.update({ memory: { limit: size * MiB, swap: 2 * size * MiB } });
      expect(await read('memory', 'memory.limit_in_bytes', 'memory.max', group)).toBe(String(size * MiB));
    }
    await group.remove();
  });

  withGroups('a process enters every hierarchy by itself, is killed and leaves nothing', async () => {
    const group = await cgroups.create(`${parent}/kill`, {});
    const child = start(group, 'sleep 1000 & sleep 1000 & wait');
    await inGroup(group, 3);
    const lines = (await readFile(`/proc/${child.pid}/cgroup`, 'utf8')).trim().split('\n');
    const elsewhere = lines.filter((line) => !line.endsWith(`/${group.path}`));
    expect(elsewhere.length).toBe(lines.length - found.length);
    const exit = once(child, 'exit');
    await group.kill(AbortSignal.timeout(5000));
    expect(await exit).toEqual([null, 'SIGKILL']);
    expect(await group.pids()).toEqual([]);
    expect(await group.oomKilled()).toBe(false);
    await group.remove();
  });

  withGroups('a fork storm is killed', async () => {
    const group = await cgroups.create(`${parent}/storm`, { pids: { limit: 50 } });
    start(group, 'while :; do (sleep 0.01 &) ; done 2>/dev/null');
    await until(async () => (await group.pids()).length > 5);
    await group.kill(AbortSignal.timeout(10_000));
    expect(await group.pids()).toEqual([]);
    await group.remove();
  });

  withGroups('freeze stops, thaw resumes, and a frozen group is killed at once', async () => {
    const group = await cgroups.create(`${parent}/freeze`, {});
    const child = start(group, 'while :; do echo tick; sleep 0.01; done');
    await once(child.stdout ?? child, 'data');
    await group.freeze();
    expect(await group.frozen()).toBe(true);
    await sleep(50);
    let ticks = 0;
    child.stdout?.on('data', () => ticks++);
    await sleep(20);
    ticks = 0;
    await sleep(100);
    expect(ticks).toBe(0);
    await group.thaw();
    await until(async () => ticks > 0);
    await group.freeze();
    await expect(cgroups.create(group.path, {})).rejects.toMatchObject({ kind: 'conflict' });
    await group.kill(AbortSignal.timeout(5000));
    expect(await group.frozen()).toBe(false);
    await group.remove();
  });

  withGroups(
    'groups that the container made below its own are killed and removed, frozen ones too',
    async () => {
      const group = await cgroups.create(`${parent}/nested`, {});
      for (const { root } of found) mkdirSync(join(root, group.path, 'inner/deep'), { recursive: true });
      const inner = cgroups.open(`${group.path}/inner/deep`);
      for (const { root, controllers, version } of found) {
        if (version === 2 || !controllers.includes('cpuset')) continue;
        for (const folder of ['inner', 'inner/deep']) {
          writeFileSync(join(root, group.path, folder, 'cpuset.cpus'), '0');
          writeFileSync(join(root, group.path, folder, 'cpuset.mems'), '0');
        }
      }
      start(inner, 'exec sleep 1000');
      await inGroup(group, 1);
      await inner.freeze();
      await group.kill(AbortSignal.timeout(5000));
      await group.remove();
    },
  );

  withGroups('an empty group goes at once, one with a process below it stays', async () => {
    const group = await cgroups.create(`${parent}/tried`, {});
    const child = start(await cgroups.create(`${group.path}/below`, {}), 'exec sleep 60');
    await inGroup(group, 1);
    expect(await group.removeEmpty()).toBe(false);
    expect(await group.pids()).toEqual([child.pid]);
    await group.kill(AbortSignal.timeout(5_000));
    await until(() => group.removeEmpty());
    expect(await group.exists()).toBe(false);
    expect(await group.removeEmpty()).toBe(true);
  });

  withGroups('removing a group with a process in it names the process and where', async () => {
    cgroups = await openCgroups({ waits: { removeMs: 50 } });
    const group = await cgroups.create(`${parent}/busy`, {});
    const child = start(group, 'exec sleep 1000');
    await until(async () => (await readFile(`/proc/${child.pid}/comm`, 'utf8')) === 'sleep\n');
    const failure = await group.remove().catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind: 'busy' });
    expect(String(failure)).toMatch(new RegExp(`\\b${child.pid} \\(sleep, state [RSD]`));
    expect(String(failure)).toContain(join(found[0]?.root ?? '', group.path));
    await expect(cgroups.create(group.path, {})).rejects.toMatchObject({ kind: 'conflict' });
    await group.kill(AbortSignal.timeout(5000));
    await group.remove();
  });

  withGroups('the OOM killer is noticed', async () => {
    const { swapLimit } = await cgroups.features();
    const memory = { limit: 16 * MiB, ...(swapLimit && { swap: 16 * MiB }) };
    const group = await cgroups.create(`${parent}/oom`, { memory });
    const child = start(
      group,
      `exec ${process.execPath} -e 'const a=[]; for(;;) a.push(Buffer.alloc(1<<20,1))'`,
    );
    await once(child, 'exit');
    expect(await group.oomKilled()).toBe(true);
    await group.remove();
  });

  withGroups('a value that the kernel refuses leaves no group behind', async () => {
    await expect(cgroups.create(`${parent}/bad`, { cpu: { quota: 1 } })).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('Cannot set cpu.'),
    });
  });

  withGroups('twenty groups come and go side by side, with the parent', async () => {
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        for (let round = 0; round < 3; round++) {
          const group = await cgroups.create(`${parent}/side-${index}`, { pids: { limit: 5 } });
          await group.remove();
        }
      }),
    );
  });

  test.each(['', '/a', 'a/../b', 'a//b', './a', 'a/'])('path %j is refused', async (path) => {
    cgroups = await openCgroups();
    expect(() => cgroups.open(path)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });
});

describe.skipIf(reason !== '')(
  `cgroup folders that are not what they seem${reason && ` (skipped: ${reason})`}`,
  () => {
    test('a plain folder where a hierarchy was is left alone', async () => {
      const fake: Hierarchy = { version: 2, root: '/tmp', controllers: [] };
      const cgroups = await openCgroups({ hierarchies: [fake] });
      await expect(cgroups.create(`${parent}/fake`, {})).rejects.toThrow(/wanted cgroup v2/);
      expect(await leftovers([fake])).toEqual([]);
    });
  },
);
