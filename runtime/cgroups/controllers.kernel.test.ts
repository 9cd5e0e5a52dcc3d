import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { Cgroup } from './cgroup.ts';
import { findHierarchies } from './hierarchies.ts';
import { openCgroups } from './open-cgroups.ts';
import type { MemoryEvents } from './stats/memory-stats.ts';
import { testParent } from './test-parent.ts';

const MiB = 1024 * 1024;
const parent = testParent;
const found = await findHierarchies().catch(() => []);
const reason = process.getuid?.() === 0 && found.length > 0 ? '' : 'needs root and cgroups';

describe.skipIf(reason !== '')(`controllers of this kernel${reason && ` (skipped: ${reason})`}`, async () => {
  const cgroups = await openCgroups();
  const children: ChildProcess[] = [];

  afterEach(async () => {
    for (const path of await cgroups.list(parent)) {
      const group = cgroups.open(path);
      await group.kill(AbortSignal.timeout(5000));
      await group.remove();
    }
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });

  function start(group: Cgroup, script: string): ChildProcess {
    const { v1Procs, v2Dir } = group.entry;
    const files = [...v1Procs, ...(v2Dir ? [join(v2Dir, 'cgroup.procs')] : [])];
    const enter = 'for f in "$@"; do echo 0 > "$f" || exit 99; done';
    const child = spawn('sh', ['-c', `${enter}; ${script}`, 'sh', ...files]);
    children.push(child);
    return child;
  }

  /** The file in whatever hierarchy has it. */
  function read(group: Cgroup, ...files: string[]): string | undefined {
    const paths = found.flatMap(({ root }) => files.map((file) => join(root, group.path, file)));
    const path = paths.find((each) => existsSync(each));
    return path && readFileSync(path, 'utf8').trim();
  }

  const versionOf = (name: string) =>
    found.find(({ version, controllers }) => version === 1 && controllers.includes(name))?.version ??
    found.find(({ controllers }) => controllers.includes(name))?.version;

  test('quota, period and burst move together, in any direction', async () => {
    const group = await cgroups.create(`${parent}/bandwidth`, { cpu: { quota: 20_000, period: 100_000 } });
    const hasBurst = read(group, 'cpu.cfs_burst_us', 'cpu.max.burst') !== undefined;
    for (const quota of [50_000, 5_000, 90_000]) {
      await group.update({ cpu: { quota, period: quota * 2, ...(hasBurst && { burst: quota }) } });
      expect(read(group, 'cpu.cfs_quota_us', 'cpu.max')).toMatch(new RegExp(`^${quota}( ${quota * 2})?$`));
      if (hasBurst) expect(read(group, 'cpu.cfs_burst_us', 'cpu.max.burst')).toBe(String(quota));
    }
    await group.update({ cpu: { quota: 70_000, ...(hasBurst && { burst: 0 }) } });
    expect(read(group, 'cpu.cfs_period_us', 'cpu.max')).toMatch(/^(70000 )?180000$/);
  });

  test('idle', async () => {
    const group = await cgroups.create(`${parent}/idle`, {});
    if (read(group, 'cpu.idle') === undefined) {
      await expect(group.update({ cpu: { idle: 1 } })).rejects.toMatchObject({ kind: 'unsupported' });
      return;
    }
    await group.update({ cpu: { idle: 1 } });
    expect(read(group, 'cpu.idle')).toBe('1');
    await group.update({ cpu: { idle: 0, shares: 1024 } });
    expect([read(group, 'cpu.idle'), read(group, 'cpu.shares', 'cpu.weight')]).toEqual([
      '0',
      versionOf('cpu') === 1 ? '1024' : '100',
    ]);
  });

  const disk = readdirSync('/sys/block').find((name) => !/^(loop|ram|zram|sr|fd)/.test(name));
  const [major = 0, minor = 0] = disk
    ? readFileSync(`/sys/block/${disk}/dev`, 'utf8').trim().split(':').map(Number)
    : [];
  const io = versionOf('blkio') ?? versionOf('io');

  test.skipIf(disk === undefined || io === undefined)('throttling of a disk', async () => {
    const group = await cgroups.create(`${parent}/throttle`, {
      blockIO: { throttleReadBpsDevice: [{ major, minor, rate: 1_048_576 }] },
    });
    const line = () => read(group, 'blkio.throttle.read_bps_device', 'io.max');
    expect(line()).toMatch(new RegExp(`^${major}:${minor} (1048576|rbps=1048576 .*)$`));
    await group.update({ blockIO: { throttleReadBpsDevice: [{ major, minor, rate: 0 }] } });
    expect(line()).toBe('');
    const nowhere = { throttleReadBpsDevice: [{ major: 4000, minor: 1, rate: 1 }] };
    await expect(group.update({ blockIO: nowhere })).rejects.toMatchObject({
      message: expect.stringContaining('wanted a device that exists'),
    });
  });

  test('a refused update names the file and leaves the old limits', async () => {
    const group = await cgroups.create(`${parent}/undo`, { pids: { limit: 20 }, cpu: { shares: 512 } });
    const before = read(group, 'cpu.shares', 'cpu.weight');
    const bad = group.update({ cpu: { shares: 2048, cpus: '0-100000' }, pids: { limit: 30 } });
    await expect(bad).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('cpuset.cpus of cgroup'),
    });
    expect([read(group, 'cpu.shares', 'cpu.weight'), read(group, 'pids.max')]).toEqual([before, '20']);
  });

  test('a limit below what is used is refused where that is wished', async () => {
    const group = await cgroups.create(`${parent}/usage`, { memory: { limit: 256 * MiB } });
    start(
      group,
      `exec ${process.execPath} -e 'globalThis.a=Buffer.alloc(${64 * MiB},1);setInterval(()=>{},9e6)'`,
    );
    while (((await group.stats()).memory?.usage ?? 0) < 60 * MiB) await sleep(20);
    const update = group.update({ memory: { limit: 8 * MiB, checkBeforeUpdate: true } });
    await expect(update).rejects.toMatchObject({ kind: 'busy' });
  });

  test('statistics of a group that works, is paused, and is gone', async () => {
    const group = await cgroups.create(`${parent}/stats`, {
      pids: { limit: 9 },
      memory: { limit: 128 * MiB },
    });
    const child = start(group, 'head -c 3000000 /dev/zero | sha256sum; exec sleep 1000');
    await once(child.stdout ?? child, 'data');
    // From here on processes only leave: the last one stays.
    while ((await group.stats()).pids?.current !== 1) await sleep(5);
    const stats = await group.stats();
    expect(stats.pids).toEqual({ current: 1, limit: 9, refused: expect.any(Number) });
    expect(stats.memory?.limit).toBe(128 * MiB);
    expect(stats.memory?.usage).toBeGreaterThan(0);
    expect(stats.memory?.detail).toMatchObject({ inactive_file: expect.any(Number) });
    // Accounts of user and kernel time are sampled; together they are about the total.
    expect((stats.cpu?.user ?? 0) + (stats.cpu?.kernel ?? 0)).toBeGreaterThan(0);
    if (existsSync('/proc/pressure')) {
      const inV2 = found.some(({ version }) => version === 2);
      expect(stats.pressure?.memory?.some.total === undefined).toBe(!inV2);
    }
    await group.freeze();
    expect((await group.stats()).pids?.current).toBe(1);
    await group.update({ pids: { limit: 12 } });
    expect([(await group.stats()).pids?.limit, await group.frozen()]).toEqual([12, true]);
    await group.kill(AbortSignal.timeout(5000));
    await group.remove();
    expect(await group.stats()).toEqual({});
  });

  test('memory events are told as they happen, and the stream ends with the group', async () => {
    const { swapLimit } = await cgroups.features();
    const group = await cgroups.create(`${parent}/oom`, {
      memory: { limit: 24 * MiB, ...(swapLimit && { swap: 24 * MiB }) },
    });
    const told: MemoryEvents[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      for await (const events of group.memoryEvents(stop.signal)) told.push(events);
    })();
    await sleep(50);
    const eat = `${process.execPath} -e 'const a=[]; for(;;) a.push(Buffer.alloc(1<<20,1))'`;
    // The shell survives what it started, as in a container whose child is killed.
    const child = start(group, `${eat}; echo survived; sleep 1000`);
    await once(child.stdout ?? child, 'data');
    while ((told.at(-1)?.oomKill ?? 0) < 1) await sleep(10);
    expect(told.at(-1)?.oom).toBeGreaterThan(0);
    await group.kill(AbortSignal.timeout(5000));
    await group.remove();
    await Promise.race([reading, sleep(3000).then(() => Promise.reject(new Error('goes on')))]);
  });

  test('the stream ends with its signal', async () => {
    const group = await cgroups.create(`${parent}/signal`, {});
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 30);
    for await (const _ of group.memoryEvents(stop.signal)) expect.unreachable();
    await group.remove();
  });

  test('what the specification wants and this host lacks is named', async () => {
    const group = await cgroups.create(`${parent}/absent`, {});
    for (const [controller, resources] of [
      ['hugetlb', { hugepageLimits: [{ pageSize: '2MB', limit: 4 * MiB }] }],
      ['net_cls', { network: { classID: 1 } }],
      ['rdma', { rdma: { none_0: { hcaHandles: 1 } } }],
      ['misc', { unified: { 'misc.max': 'none 1' } }],
    ] as const) {
      const error = await group.update(resources).catch((failure: unknown) => failure);
      if (versionOf(controller) !== undefined) continue;
      expect(error).toMatchObject({
        kind: 'unsupported',
        message: expect.stringContaining(`"${controller}"`),
      });
    }
  });
});
