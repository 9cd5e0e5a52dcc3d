import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readlinkSync } from 'node:fs';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { NamespaceType, Spec } from '../base/oci.ts';
import { launch } from './launch.ts';
import { launchExec } from './launch-exec.ts';
import { dockerMounts, LaunchFixture, titleSuffix, whyNoLaunches } from './test-fixture.ts';
import { watchExit } from './watch-exit.ts';

const mapped = {
  uidMappings: [{ containerID: 0, hostID: 200_000, size: 1000 }],
  gidMappings: [{ containerID: 0, hostID: 300_000, size: 1000 }],
};
const others: Spec['linux']['namespaces'] = [
  { type: 'mount' },
  { type: 'pid' },
  { type: 'network' },
  { type: 'ipc' },
  { type: 'uts' },
  { type: 'cgroup' },
];
/** With open_tree and fsmount. */
const [major = 0, minor = 0] = release().split('.').map(Number);
const hasNewMountCalls = major > 5 || (major === 5 && minor >= 2);
const suffixOfOld = hasNewMountCalls ? '' : ` (skipped: Linux ${release()}, wanted 5.2)`;

/** Files in /proc/<pid>/ns. */
const files = {
  user: 'user',
  time: 'time',
  network: 'net',
  ipc: 'ipc',
  uts: 'uts',
  cgroup: 'cgroup',
  pid: 'pid',
};

async function run(
  fixture: LaunchFixture,
  script: string,
  options: Parameters<LaunchFixture['request']>[1] = {},
) {
  await launch(fixture.request(['sh', '-c', script], options));
  const exit = await watchExit(fixture.runDir);
  expect(exit).not.toBe('lost');
  return { exit, ...(await fixture.output()) };
}

/** A fixture that somebody without rights on this machine can reach. */
async function openFixture(): Promise<LaunchFixture> {
  const fixture = await LaunchFixture.create();
  for (const name of ['', 'root', 'root/bin', 'root/etc', 'upper', 'work']) {
    await chown(join(fixture.dir, name), 200_000, 300_000);
    chmodSync(join(fixture.dir, name), 0o755);
  }
  return fixture;
}

describe.skipIf(whyNoLaunches !== undefined)(`namespaces${titleSuffix}`, () => {
  it('a user namespace: root inside, somebody else outside, everything else belongs to it', async () => {
    await using fixture = await openFixture();
    const script = [
      'cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups',
      'id; hostname; echo > /made && stat -c %u:%g /made; ls /dev/null /dev/tty; echo x > /dev/null',
      'mkdir /m && mount -t tmpfs t /m && echo mounted; hostname new && hostname',
      'grep CapEff /proc/self/status; cat /proc/self/oom_score_adj; ip link set lo down && echo lo; echo err >&2',
    ].join('; ');
    const { exit, stdout, stderr } = await run(fixture, script, {
      root: 'bind',
      linux: { namespaces: [...others, { type: 'user' }], ...mapped },
      process: { oomScoreAdj: 200, rlimits: [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 4096 }] },
    });
    expect(stderr).toBe('err\n');
    expect(stdout.replaceAll(/ +/g, ' ').trim().split('\n')).toEqual([
      '0 200000 1000',
      ' 0 300000 1000',
      'allow',
      'uid=0 gid=0',
      'deck',
      '0:0',
      '/dev/null',
      '/dev/tty',
      'mounted',
      'new',
      expect.stringMatching(/^CapEff:\t0000[01]/),
      '200',
      'lo',
    ]);
    expect(exit).toMatchObject({ exitCode: 0 });
  });

  it.skipIf(!hasNewMountCalls)(
    `a user namespace: sources and devices that its root has no way to${suffixOfOld}`,
    async () => {
      await using fixture = await openFixture();
      const closed = join(fixture.dir, 'closed');
      await mkdir(join(closed, 'data'), { recursive: true });
      await writeFile(join(closed, 'data/file'), 'behind\n');
      chmodSync(closed, 0o700);
      // Nor by the ids that the first process has before it becomes root inside.
      await chown(closed, 400_000, 400_000);
      const bind = { type: 'bind', source: join(closed, 'data') };
      const script = [
        'cat /one/file /tree/file; echo no > /one/new',
        'stat -c %u:%g:%a /dev/hull-zero; head -c 3 /dev/hull-zero >/dev/null && echo read',
      ].join('; ');
      const { exit, stdout, stderr } = await run(fixture, script, {
        root: 'bind',
        spec: {
          mounts: [
            ...dockerMounts.filter(({ type }) => type !== 'sysfs'),
            { ...bind, destination: '/one', options: ['bind', 'ro'] },
            { ...bind, destination: '/tree', options: ['rbind', 'rslave'] },
          ],
        },
        linux: {
          namespaces: [...others, { type: 'user' }],
          ...mapped,
          devices: [
            { type: 'c', path: '/dev/hull-zero', major: 1, minor: 5, uid: 10, gid: 11, fileMode: 0o666 },
          ],
        },
      });
      expect(stdout.split('\n')).toEqual(['behind', 'behind', '10:11:666', 'read', '']);
      expect(stderr).toMatch(/Read-only file system/);
      expect(exit).toMatchObject({ exitCode: expect.any(Number) });
    },
  );

  it('a user of it, with a stdout to open again; an exec is in it too', async () => {
    await using fixture = await openFixture();
    const target = await launch(
      fixture.request(['sh', '-c', 'echo again > /dev/stdout; exec sleep 60'], {
        root: 'bind',
        linux: { namespaces: [...others, { type: 'user' }], ...mapped },
        process: { user: { uid: 7, gid: 8, additionalGids: [9] } },
      }),
    );
    try {
      const command = await launchExec({
        target,
        cgroup: { v1Procs: [] },
        process: fixture.process(['sh', '-c', 'id; cat /proc/1/uid_map; readlink /proc/self/ns/user']),
        openStdin: false,
      });
      const [out, err] = await Promise.all([text(command.stdout), text(command.stderr)]);
      expect(err).toBe('');
      const own = readlinkSync(`/proc/${target.pid}/ns/user`);
      expect(own).not.toBe(readlinkSync('/proc/self/ns/user'));
      expect(out.replaceAll(/ +/g, ' ')).toBe(`uid=0 gid=0\n 0 200000 1000\n${own}\n`);
      expect((await fixture.output()).stdout).toBe('again\n');
    } finally {
      process.kill(target.pid, 'SIGKILL');
      await watchExit(fixture.runDir);
    }
  });

  it.skipIf(!existsSync('/proc/self/ns/time'))('a time namespace with its clocks set forward', async () => {
    await using fixture = await LaunchFixture.create();
    const { stdout } = await run(fixture, 'cat /proc/uptime; cat /proc/self/timens_offsets', {
      linux: {
        namespaces: [...others, { type: 'time' }],
        timeOffsets: { boottime: { secs: 100_000_000 }, monotonic: { secs: 5, nanosecs: 7 } },
      },
    });
    expect(Number.parseFloat(stdout)).toBeGreaterThan(100_000_000);
    expect(stdout.replaceAll(/ +/g, ' ')).toContain('monotonic 5 7\nboottime 100000000 0\n');
  });

  it('joins namespaces of every other kind by path, the user namespace too', async () => {
    const types = Object.keys(files) as (keyof typeof files)[];
    const present = types.filter((type) => existsSync(`/proc/self/ns/${files[type]}`));
    const flags = [
      '--user',
      '--map-root-user',
      '--net',
      '--ipc',
      '--uts',
      '--cgroup',
      '--pid',
      '--fork',
      '--mount',
    ];
    const time = present.includes('time') ? ['--time'] : [];
    const holder = spawn(
      'unshare',
      [...flags, ...time, '--kill-child', 'sh', '-c', 'echo ready; exec sleep 60'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    try {
      await once(holder.stdout, 'data');
      const inner = execFileSync('pgrep', ['-P', String(holder.pid)], { encoding: 'utf8' }).trim();
      const namespaces: { type: NamespaceType; path?: string }[] = present.map((type) => ({
        type,
        path: `/proc/${inner}/ns/${files[type]}`,
      }));
      const wanted = present.map((type) => readlinkSync(`/proc/${inner}/ns/${files[type]}`));
      await using fixture = await LaunchFixture.create();
      chmodSync(fixture.dir, 0o755);
      const { stdout, stderr } = await run(
        fixture,
        `for f in ${present.map((type) => files[type]).join(' ')}; do readlink /proc/self/ns/$f; done`,
        {
          root: 'bind',
          spec: { mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }] },
          linux: { namespaces: [{ type: 'mount' }, ...namespaces] },
        },
      );
      expect({ stderr, stdout: stdout.trim().split('\n') }).toEqual({ stderr: '', stdout: wanted });
    } finally {
      holder.kill('SIGKILL');
      await once(holder, 'exit');
    }
  });

  it('says which namespace could not be joined, and leaves nothing', async () => {
    await using fixture = await LaunchFixture.create();
    await mkdir(join(fixture.dir, 'none'));
    const request = fixture.request(['true'], {
      linux: { namespaces: [...others, { type: 'user', path: join(fixture.dir, 'none') }] },
    });
    await expect(launch(request)).rejects.toThrow(/^Cannot join user namespace ".*none": EINVAL, step/);
    expect(fixture.monitors()).toEqual([]);
  });
});
