import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import type { Linux, Spec } from '../base/oci.ts';
import { dockerMounts, type LaunchFixture } from './test-fixture.ts';
import type { CgroupEntry, LaunchRequest } from './types.ts';

const [major = 0, minor = 0] = release().split('.').map(Number);
/** Linux 5.12. */
export const hasMountSetattr: boolean = major > 5 || (major === 5 && minor >= 12);

const ids = [{ containerID: 0, hostID: 300_000, size: 65536 }];
const capabilities = ['CAP_CHOWN', 'CAP_SETUID', 'CAP_SETGID', 'CAP_NET_BIND_SERVICE'];

/**
 * For tests: a request with everything that the specification has for Linux and this kernel can do, with a user namespace or
 * without. Kernels before 5.12 get no recursive attributes and no mapped ids, before 5.6 no time namespace.
 */
export async function requestWithEverything(
  fixture: LaunchFixture,
  command: readonly string[],
  options: { readonly cgroup: CgroupEntry; readonly userNamespace: boolean; readonly mountSetattr: boolean },
): Promise<LaunchRequest> {
  const { cgroup, userNamespace, mountSetattr } = options;
  const volume = join(fixture.dir, 'volume');
  await mkdir(join(volume, 'inner'), { recursive: true });
  await writeFile(join(volume, 'file'), 'volume\n');
  await mkdir(join(fixture.dir, 'root/srv/seed'), { recursive: true });
  await mkdir(join(fixture.dir, 'root/masked'), { recursive: true });
  if (userNamespace) {
    await chmod(fixture.dir, 0o755);
    for (const name of ['root', 'root/srv', 'root/srv/seed', 'root/masked'])
      await chown(join(fixture.dir, name), 300_000, 300_000);
  }
  const time = existsSync('/proc/self/ns/time');
  const recursive = mountSetattr ? ['rro', 'rnosuid'] : ['ro'];
  const spec: Partial<Spec> = {
    hostname: 'everything',
    domainname: 'all.example',
    root: { path: '/', readonly: true },
    mounts: [
      ...dockerMounts,
      {
        destination: '/sys/fs/cgroup',
        type: 'cgroup',
        source: 'cgroup',
        options: ['ro', 'nosuid', 'nodev', 'noexec'],
      },
      {
        destination: '/plain',
        type: 'bind',
        source: volume,
        options: ['bind', 'nodev', ...(userNamespace ? [] : ['noatime']), 'rslave'],
      },
      { destination: '/tree', type: 'bind', source: volume, options: ['rbind', ...recursive, 'rprivate'] },
      { destination: '/one', type: 'bind', source: join(volume, 'file'), options: ['bind', 'ro'] },
      { destination: '/shared', type: 'bind', source: volume, options: ['rbind', 'rshared'] },
      // An overlay in a user namespace needs a tmpfs with user attributes (6.6).
      ...(userNamespace
        ? []
        : [{ destination: '/srv/seed', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup', 'size=1m'] }]),
      ...(mountSetattr
        ? [
            {
              destination: '/mapped',
              type: 'bind',
              source: volume,
              options: ['bind', 'idmap'],
              uidMappings: [{ containerID: 0, hostID: userNamespace ? 300_007 : 7, size: 1 }],
              gidMappings: [{ containerID: 0, hostID: userNamespace ? 300_008 : 8, size: 1 }],
            },
          ]
        : []),
    ],
  };
  const linux: Linux = {
    namespaces: (['mount', 'pid', 'network', 'ipc', 'uts', 'cgroup', 'user', 'time'] as const)
      .filter((type) => (type === 'user' ? userNamespace : type !== 'time' || time))
      .map((type) => ({ type })),
    ...(userNamespace ? { uidMappings: ids, gidMappings: ids } : {}),
    ...(time ? { timeOffsets: { boottime: { secs: 50_000_000 }, monotonic: { secs: 100 } } } : {}),
    devices: [{ type: 'c', path: '/dev/kmsg', major: 1, minor: 11, fileMode: 0o600 }],
    sysctl: {
      'net.ipv4.ip_forward': '1',
      // Of the host's root alone before 5.19.
      ...(userNamespace && major < 6 ? {} : { 'kernel.msgmax': '4096' }),
    },
    maskedPaths: ['/proc/kcore', '/masked', '/no/such/path'],
    readonlyPaths: ['/proc/sys', '/no/such/path'],
    rootfsPropagation: 'private',
    personality: { domain: 'LINUX' },
    seccomp: {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['chroot', 'unshare'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 }],
    },
  };
  return fixture.request(command, {
    root: 'bind',
    process: {
      user: { uid: 7, gid: 8, additionalGids: [9, 10], umask: 0o027 },
      cwd: '/plain',
      capabilities: {
        bounding: capabilities,
        permitted: capabilities,
        effective: ['CAP_CHOWN'],
        inheritable: ['CAP_NET_BIND_SERVICE'],
        ambient: ['CAP_NET_BIND_SERVICE'],
      },
      rlimits: [
        { type: 'RLIMIT_NOFILE', soft: 20, hard: 30 },
        { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      ],
      oomScoreAdj: 100,
      ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 },
      scheduler: { policy: 'SCHED_BATCH', nice: 19 },
      env: ['PATH=/usr/bin:/bin', 'SHIP=hull'],
    },
    spec,
    linux,
    request: { cgroup, openStdin: true },
  });
}
