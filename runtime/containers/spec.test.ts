import { describe, expect, test } from 'vitest';
import { allCapabilities } from './capabilities.ts';
import { parseCreateRequest } from './create-request.ts';
import { mergeConfig } from './merge-config.ts';
import { chooseMounts } from './mounts/choose-mounts.ts';
import { plainMounts } from './mounts/spec-mount.ts';
import { noDevices } from './requested-devices.ts';
import { makeSpec, type SpecInput } from './spec.ts';

const id = 'ab'.repeat(32);

function specOf(body: object, more: Partial<SpecInput> = {}) {
  const config = mergeConfig(parseCreateRequest({ Image: 'busybox', Cmd: ['true'], ...body }), undefined);
  const { points } = chooseMounts(config, { mountsOf: () => [], dataOf: (name) => `/volumes/${name}` });
  return makeSpec({
    id,
    config,
    mounts: plainMounts(points),
    user: { uid: 0, gid: 0, additionalGids: [10], home: '/root' },
    cgroupPath: `hull-00000000/${id}`,
    cgroupMode: 'v2',
    cgroupFeatures: { swapLimit: true, blkioWeight: true },
    capabilities: allCapabilities,
    files: [],
    hostDevices: [],
    requestedDevices: noDevices,
    machine: { arch: 'x64', kernel: '6.12.0' },
    ...more,
  });
}

describe('makeSpec', () => {
  test("a plain container has Docker's defaults", () => {
    // The seccomp policy has tests of its own.
    expect(specOf({ HostConfig: { SecurityOpt: ['seccomp=unconfined'] } })).toMatchInlineSnapshot(`
      {
        "hostname": "abababababab",
        "linux": {
          "cgroupsPath": "hull-00000000/abababababababababababababababababababababababababababababababab",
          "devices": [],
          "maskedPaths": [
            "/proc/asound",
            "/proc/acpi",
            "/proc/interrupts",
            "/proc/kcore",
            "/proc/keys",
            "/proc/latency_stats",
            "/proc/timer_list",
            "/proc/timer_stats",
            "/proc/sched_debug",
            "/proc/scsi",
            "/sys/firmware",
            "/sys/devices/virtual/powercap",
          ],
          "namespaces": [
            {
              "type": "mount",
            },
            {
              "type": "pid",
            },
            {
              "type": "network",
            },
            {
              "type": "ipc",
            },
            {
              "type": "uts",
            },
            {
              "type": "cgroup",
            },
          ],
          "readonlyPaths": [
            "/proc/bus",
            "/proc/fs",
            "/proc/irq",
            "/proc/sys",
            "/proc/sysrq-trigger",
          ],
          "resources": {
            "devices": [
              {
                "access": "rwm",
                "allow": false,
              },
              {
                "access": "m",
                "allow": true,
                "type": "c",
              },
              {
                "access": "m",
                "allow": true,
                "type": "b",
              },
              {
                "access": "rwm",
                "allow": true,
                "major": 1,
                "minor": 3,
                "type": "c",
              },
              {
                "access": "rwm",
                "allow": true,
                "major": 1,
                "minor": 5,
                "type": "c",
              },
              {
                "access": "rwm",
                "allow": true,
                "major": 1,
                "minor": 7,
                "type": "c",
              },
              {
                "access": "rwm",
                "allow": true,
                "major": 1,
                "minor": 8,
                "type": "c",
              },
              {
                "access": "rwm",
                "allow": true,
                "major": 1,
                "minor": 9,
                "type": "c",
              },
              {
                "access": "rwm",
                "allow": true,
                "major": 5,
                "minor": 0,
                "type": "c",
              },
              {
                "access": "rwm",
                "allow": true,
                "major": 5,
                "minor": 1,
                "type": "c",
              },
              {
                "access": "rwm",
                "allow": true,
                "major": 5,
                "minor": 2,
                "type": "c",
              },
              {
                "access": "rwm",
                "allow": true,
                "major": 136,
                "type": "c",
              },
            ],
          },
          "sysctl": {},
        },
        "mounts": [
          {
            "destination": "/proc",
            "options": [
              "nosuid",
              "noexec",
              "nodev",
            ],
            "source": "proc",
            "type": "proc",
          },
          {
            "destination": "/dev",
            "options": [
              "nosuid",
              "strictatime",
              "mode=755",
              "size=65536k",
            ],
            "source": "tmpfs",
            "type": "tmpfs",
          },
          {
            "destination": "/dev/pts",
            "options": [
              "nosuid",
              "noexec",
              "newinstance",
              "ptmxmode=0666",
              "mode=0620",
              "gid=5",
            ],
            "source": "devpts",
            "type": "devpts",
          },
          {
            "destination": "/sys",
            "options": [
              "nosuid",
              "noexec",
              "nodev",
              "ro",
            ],
            "source": "sysfs",
            "type": "sysfs",
          },
          {
            "destination": "/sys/fs/cgroup",
            "options": [
              "nosuid",
              "noexec",
              "nodev",
              "ro",
            ],
            "source": "cgroup",
            "type": "cgroup",
          },
          {
            "destination": "/dev/mqueue",
            "options": [
              "nosuid",
              "noexec",
              "nodev",
            ],
            "source": "mqueue",
            "type": "mqueue",
          },
          {
            "destination": "/dev/shm",
            "options": [
              "nosuid",
              "noexec",
              "nodev",
              "mode=1777",
              "size=67108864",
            ],
            "source": "shm",
            "type": "tmpfs",
          },
        ],
        "ociVersion": "1.2.0",
        "process": {
          "args": [
            "true",
          ],
          "capabilities": {
            "ambient": [],
            "bounding": [
              "CAP_CHOWN",
              "CAP_DAC_OVERRIDE",
              "CAP_FOWNER",
              "CAP_FSETID",
              "CAP_KILL",
              "CAP_SETGID",
              "CAP_SETUID",
              "CAP_SETPCAP",
              "CAP_NET_BIND_SERVICE",
              "CAP_NET_RAW",
              "CAP_SYS_CHROOT",
              "CAP_MKNOD",
              "CAP_AUDIT_WRITE",
              "CAP_SETFCAP",
            ],
            "effective": [
              "CAP_CHOWN",
              "CAP_DAC_OVERRIDE",
              "CAP_FOWNER",
              "CAP_FSETID",
              "CAP_KILL",
              "CAP_SETGID",
              "CAP_SETUID",
              "CAP_SETPCAP",
              "CAP_NET_BIND_SERVICE",
              "CAP_NET_RAW",
              "CAP_SYS_CHROOT",
              "CAP_MKNOD",
              "CAP_AUDIT_WRITE",
              "CAP_SETFCAP",
            ],
            "inheritable": [],
            "permitted": [
              "CAP_CHOWN",
              "CAP_DAC_OVERRIDE",
              "CAP_FOWNER",
              "CAP_FSETID",
              "CAP_KILL",
              "CAP_SETGID",
              "CAP_SETUID",
              "CAP_SETPCAP",
              "CAP_NET_BIND_SERVICE",
              "CAP_NET_RAW",
              "CAP_SYS_CHROOT",
              "CAP_MKNOD",
              "CAP_AUDIT_WRITE",
              "CAP_SETFCAP",
            ],
          },
          "cwd": "/",
          "env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOSTNAME=abababababab",
            "HOME=/root",
          ],
          "noNewPrivileges": false,
          "rlimits": [],
          "terminal": false,
          "user": {
            "additionalGids": [
              10,
            ],
            "gid": 0,
            "uid": 0,
          },
        },
        "root": {
          "path": "rootfs",
          "readonly": false,
        },
      }
    `);
  });

  test('a privileged container has everything, unmasked and writable', () => {
    const spec = specOf({ HostConfig: { Privileged: true } }, { capabilities: allCapabilities.slice(0, 40) });
    expect(spec.process.capabilities?.effective).toHaveLength(40);
    expect(spec.linux.maskedPaths).toEqual([]);
    expect(spec.linux.readonlyPaths).toEqual([]);
    expect(spec.mounts?.find(({ destination }) => destination === '/sys')?.options).not.toContain('ro');
  });

  test('what another user runs has no capability at once, and the same bounds', () => {
    const spec = specOf({}, { user: { uid: 7, gid: 7, additionalGids: [], home: '/' } });
    expect(spec.process.capabilities).toMatchObject({ effective: [], permitted: [], ambient: [] });
    expect(spec.process.capabilities?.bounding).toHaveLength(14);
  });

  test.each([
    ['PidMode', 'pid'],
    ['NetworkMode', 'network'],
    ['IpcMode', 'ipc'],
    ['UTSMode', 'uts'],
    ['CgroupnsMode', 'cgroup'],
  ])('%s host leaves the %s namespace out', (field, type) => {
    const types = specOf({ HostConfig: { [field]: 'host' } }).linux.namespaces.map((one) => one.type);
    expect(types).not.toContain(type);
    expect(types).toHaveLength(5);
  });

  test('own mounts come after the defaults, parents first, and replace the default at their place', () => {
    const { mounts = [] } = specOf({
      HostConfig: {
        Binds: ['/srv/a/b:/data/deep:ro,rslave', '/srv/a:/data/'],
        Tmpfs: { '/dev/shm': 'size=1m,exec' },
        Mounts: [{ Type: 'tmpfs', Target: '/scratch', TmpfsOptions: { SizeBytes: 4096, Mode: 0o700 } }],
      },
    });
    expect(mounts.slice(-4)).toEqual([
      { destination: '/data', type: 'bind', source: '/srv/a', options: ['rbind', 'rprivate'] },
      {
        destination: '/scratch',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'noexec', 'nodev', 'size=4096', 'mode=700'],
      },
      { destination: '/data/deep', type: 'bind', source: '/srv/a/b', options: ['rbind', 'rslave', 'rro'] },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'nodev', 'size=1m', 'exec'],
      },
    ]);
    expect(mounts.filter(({ destination }) => destination === '/dev/shm')).toHaveLength(1);
  });

  test('limits are under their OCI names; swap is twice the memory only where it can be limited', () => {
    const HostConfig = { Memory: 64 << 20, NanoCpus: 5e8, PidsLimit: 9, CpuShares: 256, CpusetCpus: '0-1' };
    expect(specOf({ HostConfig }).linux.resources).toEqual({
      devices: expect.arrayContaining([{ allow: false, access: 'rwm' }]),
      memory: { limit: 64 << 20, swap: 128 << 20 },
      cpu: { shares: 256, period: 100_000, quota: 50_000, cpus: '0-1' },
      pids: { limit: 9 },
    });
    const without = specOf({ HostConfig }, { cgroupFeatures: { swapLimit: false, blkioWeight: true } });
    expect(without.linux.resources?.memory).toEqual({ limit: 64 << 20 });
  });

  test('devices: none of the host, all where privileged', () => {
    const first = (HostConfig: object) => specOf({ HostConfig }).linux.resources?.devices?.[0];
    expect(first({})).toEqual({ allow: false, access: 'rwm' });
    expect(specOf({ HostConfig: { Privileged: true } }).linux.resources?.devices).toEqual([
      { allow: true, access: 'rwm' },
    ]);
  });

  test.each([
    [{ CapDrop: ['ALL'], CapAdd: ['net_admin', 'CAP_CHOWN'] }, ['CAP_CHOWN', 'CAP_NET_ADMIN']],
    [{ CapDrop: ['ALL'] }, []],
  ])('capabilities of %j', (HostConfig, wanted) => {
    expect(specOf({ HostConfig }).process.capabilities?.bounding).toEqual(wanted);
  });

  test.each([
    [{ CapAdd: ['FLY'] }, 'invalid', /HostConfig\.CapAdd.*FLY/],
    [{ Binds: ['/a:/d', '/b:/d/'] }, 'invalid', /Duplicate mount point: \/d/],
    [{ NetworkMode: 'bridge' }, 'unsupported', /HostConfig\.NetworkMode "bridge".*none, host/],
    [{ PidMode: 'container:x' }, 'unsupported', /HostConfig\.PidMode/],
    [{ SecurityOpt: ['seccomp=/profile.json'] }, 'unsupported', /HostConfig\.SecurityOpt/],
    [{ SecurityOpt: ['seccomp={}'] }, 'invalid', /seccomp profile/],
    [{ SecurityOpt: ['label=type:x'] }, 'unsupported', /HostConfig\.SecurityOpt/],
    [{ Memory: 1000 }, 'invalid', /HostConfig\.Memory.*found 1000/],
    [{ MemorySwap: 100 }, 'invalid', /HostConfig\.MemorySwap/],
    [{ NanoCpus: 1, CpuQuota: 5000 }, 'invalid', /HostConfig\.NanoCpus/],
    [{ NanoCpus: 1e15 }, 'invalid', /HostConfig\.NanoCpus: found 1000000 CPUs, wanted 0\.01 to \d+/],
    [{ Ulimits: [{ Name: 'wishes', Soft: 1, Hard: 3 }] }, 'invalid', /HostConfig\.Ulimits.*wishes/],
    [{ Ulimits: [{ Name: 'nofile', Soft: 5, Hard: 3 }] }, 'invalid', /HostConfig\.Ulimits.*nofile/],
  ])('%j is refused and named', (HostConfig, kind, message) => {
    expect(() => specOf({ HostConfig })).toThrow(
      expect.objectContaining({ kind, message: expect.stringMatching(message) }),
    );
  });
});
