import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { findHierarchies } from '../cgroups/hierarchies.ts';
import { testImage } from './daemon-fixture.ts';
import { describeDaemon } from './daemon-suite.ts';

const client = await execa('docker', ['--version'], { reject: false });
const noClient = client.failed ? ' (skipped: no docker client)' : '';
const hierarchies = await findHierarchies().catch(() => []);
const MiB = 1 << 20;
// Some kernels show the file in every group and answer EOPNOTSUPP; this one is then absent.
const isPressureCounted = existsSync('/proc/pressure/cpu');

describeDaemon('update and stats', {}, (world) => {
  async function start(HostConfig: Docker.HostConfig = {}): Promise<Docker.Container> {
    const Cmd = ['sh', '-c', 'while :; do :; done'];
    const container = await world.daemon.docker.createContainer({ Image: testImage, Cmd, HostConfig });
    await container.start();
    return container;
  }

  /** Of the container's group, in whatever hierarchy has the file. */
  function read({ id }: Docker.Container, ...files: string[]): string | undefined {
    const paths = hierarchies.flatMap(({ root }) =>
      files.map((file) => join(root, world.daemon.cgroupParent, id, file)),
    );
    const path = paths.find((each) => existsSync(each));
    return path && readFileSync(path, 'utf8').trim();
  }
  const memoryOf = (container: Docker.Container) => read(container, 'memory.limit_in_bytes', 'memory.max');
  const sharesOf = (container: Docker.Container) => read(container, 'cpu.shares', 'cpu.weight');

  const docker = async (...args: string[]) =>
    await execa('docker', ['-H', `unix://${world.daemon.socketPath}`, ...args], { reject: false });

  test('a paused container is updated and stays paused; only what is given changes', async () => {
    const container = await start({ Memory: 64 * MiB, PidsLimit: 20 });
    await container.pause();
    expect(await container.update({ CpuShares: 1024, Memory: 0 })).toMatchObject({ Warnings: [] });
    expect([memoryOf(container), sharesOf(container)?.replace('1024', '100')]).toEqual([
      `${64 * MiB}`,
      '100',
    ]);
    await container.update({ Memory: 32 * MiB, PidsLimit: -1 });
    expect([memoryOf(container), read(container, 'pids.max')]).toEqual([`${32 * MiB}`, 'max']);
    const { State, HostConfig } = await container.inspect();
    expect(State.Status).toBe('paused');
    expect(HostConfig).toMatchObject({ Memory: 32 * MiB, CpuShares: 1024, PidsLimit: -1 });
    await container.unpause();
  });

  test('a value that the kernel refuses changes nothing and names the file', async () => {
    const container = await start({ CpuShares: 512, Memory: 64 * MiB });
    const before = sharesOf(container);
    await expect(container.update({ CpuShares: 2048, CpusetCpus: '0-5000' })).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringContaining('cpuset.cpus of cgroup'),
    });
    expect(sharesOf(container)).toBe(before);
    expect((await container.inspect()).HostConfig.CpuShares).toBe(512);
    expect((await container.inspect()).State.Running).toBe(true);
  });

  test('a limit that the kernel refuses at a start is its error, and leaves nothing', async () => {
    const container = await world.create(['sleep', '1000'], { HostConfig: { CpusetCpus: '0-5000' } });
    await expect(container.start()).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringContaining('cpuset.cpus of cgroup'),
    });
    expect((await container.inspect()).State.Status).toBe('created');
    await container.remove();
    expect(await world.daemon.leftovers()).toEqual([]);
  });

  test('what is updated holds after a restart, and for a container that does not run', async () => {
    const container = await world.daemon.docker.createContainer({ Image: testImage, Cmd: ['sleep', '1000'] });
    await container.update({ Memory: 48 * MiB });
    await container.start();
    expect(memoryOf(container)).toBe(String(48 * MiB));
    await container.update({ Memory: 96 * MiB });
    await container.restart({ t: 0 });
    expect(memoryOf(container)).toBe(String(96 * MiB));
  });

  test('statistics: one shot, one with something to compare with, a stream, and none', async () => {
    const container = await start({ Memory: 64 * MiB, PidsLimit: 20 });
    const once = await container.stats({ stream: false, 'one-shot': true });
    expect(once).toMatchObject({
      id: container.id,
      preread: '0001-01-01T00:00:00Z',
      precpu_stats: { cpu_usage: { total_usage: 0 } },
      memory_stats: { limit: 64 * MiB, usage: expect.any(Number) },
      pids_stats: { current: 1, limit: 20 },
    });
    // v2 tells how long somebody waited, where the kernel was built and booted with it.
    const waited = isPressureCounted && read(container, 'cpu.pressure') !== undefined;
    expect(Object(once).pressure_stats?.cpu?.some?.total !== undefined).toBe(waited);
    const compared = await container.stats({ stream: false });
    const used = compared.cpu_stats.cpu_usage.total_usage - compared.precpu_stats.cpu_usage.total_usage;
    const all = compared.cpu_stats.system_cpu_usage - compared.precpu_stats.system_cpu_usage;
    expect(used).toBeGreaterThan(0);
    // At most one processor's time. /proc/stat counts ticks, and an emulated processor that waits for a real one misses some.
    expect(used / all).toBeLessThan(2 / compared.cpu_stats.online_cpus);
    const stream = await container.stats({ stream: true });
    const lines: string[] = [];
    let text = '';
    for await (const chunk of stream) {
      text += chunk;
      lines.push(...text.split('\n').slice(0, -1));
      text = text.slice(text.lastIndexOf('\n') + 1);
      if (lines.length === 2) break;
    }
    const [first, second] = lines.map((line) => JSON.parse(line));
    expect(second.preread).toBe(first.read);
    await container.kill();
    await container.wait();
    expect(await container.stats({ stream: false })).toMatchObject({
      read: '0001-01-01T00:00:00Z',
      pids_stats: {},
    });
  });

  test.skipIf(client.failed)(`docker update, docker stats --no-stream${noClient}`, async () => {
    const container = await start({ Memory: 64 * MiB });
    const update = await docker(
      'update',
      '--cpu-shares',
      '1024',
      '--pids-limit',
      '7',
      '-m',
      '40m',
      '--memory-swap',
      '80m',
      container.id,
    );
    expect([update.exitCode, update.stdout.trim(), update.stderr]).toEqual([0, container.id, '']);
    expect([memoryOf(container), read(container, 'pids.max')]).toEqual([String(40 * MiB), '7']);
    const stats = await docker('stats', '--no-stream', '--format', '{{json .}}', container.id);
    const row = JSON.parse(stats.stdout);
    expect(row).toMatchObject({ ID: container.id.slice(0, 12), PIDs: '1' });
    expect(row.MemUsage).toMatch(/ \/ 40MiB$/);
    expect(Number.parseFloat(row.CPUPerc)).toBeGreaterThan(5);
    const refused = await docker('update', '--cpuset-cpus', '0-5000', container.id);
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining('cpuset.cpus')]);
  });

  test.skipIf(client.failed)(
    `docker top, pause, unpause, cp, and exec while it is limited${noClient}`,
    async () => {
      const { id } = await start({ PidsLimit: 20 });
      const top = await docker('top', id, '-o', 'pid,args');
      expect(top.stdout).toMatch(/^PID +COMMAND\n\d+ +sh -c while/);
      const status = async () =>
        (await docker('ps', '--format', '{{.Status}}', '--filter', `id=${id}`)).stdout;
      expect((await docker('pause', id)).exitCode).toBe(0);
      expect(await status()).toMatch(/\(Paused\)$/);
      const refused = await docker('exec', id, 'true');
      expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining('paused')]);
      expect((await docker('unpause', id)).exitCode).toBe(0);
      expect(await status()).toMatch(/^Up [^(]*$/);
      expect((await docker('exec', id, 'sh', '-c', 'echo text > /file')).exitCode).toBe(0);
      const copied = join(world.daemon.folder, 'copied');
      expect((await docker('cp', `${id}:/file`, copied)).exitCode).toBe(0);
      expect(readFileSync(copied, 'utf8')).toBe('text\n');
    },
  );

  test('a device of the host by --device, and by a rule', async () => {
    const container = await world.daemon.docker.createContainer({
      Image: testImage,
      Cmd: ['sh', '-c', ': < /dev/mine && busybox mknod /kmsg c 1 11 && : > /kmsg && exit 7'],
      HostConfig: {
        Devices: [{ PathOnHost: '/dev/full', PathInContainer: '/dev/mine', CgroupPermissions: 'r' }],
        DeviceCgroupRules: ['c 1:11 w'],
      } as Docker.HostConfig,
    });
    await container.start();
    expect(await container.wait()).toMatchObject({ StatusCode: 7 });
  });
});
