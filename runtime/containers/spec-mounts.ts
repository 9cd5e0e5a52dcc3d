import type { SpecMount } from '../base/oci.ts';
import type { HostConfig } from './create-request.ts';
import type { HostModes } from './host-modes.ts';
import { parseTmpfs } from './mounts/tmpfs-options.ts';

/** Docker's default mounts, then the container's own; one of its own replaces the default at the same place. */
export function mountsOf(
  host: HostConfig,
  modes: HostModes,
  {
    own,
    files,
    showCgroups,
  }: {
    readonly own: readonly SpecMount[];
    readonly files: readonly SpecMount[];
    readonly showCgroups: boolean;
  },
): SpecMount[] {
  const wished = [...own, ...tmpfsOf(host)];
  const taken = new Set(wished.map(({ destination }) => destination));
  const free = ({ destination }: SpecMount) => !taken.has(destination);
  // Parents first, so that nothing hides what was mounted before it: a volume on /etc leaves /etc/hosts in sight.
  const depth = ({ destination }: SpecMount) => destination.split('/').length;
  const later = [...files.filter(free), ...wished].toSorted((a, b) => depth(a) - depth(b));
  return [...defaultMounts(host, modes, showCgroups).filter(free), ...later];
}

function tmpfsOf(host: HostConfig): SpecMount[] {
  return parseTmpfs(host.Tmpfs).map((mount) => ({ ...mount, type: 'tmpfs', source: 'tmpfs' }));
}

function defaultMounts(host: HostConfig, modes: HostModes, showCgroups: boolean): SpecMount[] {
  const readOnly = host.Privileged ? [] : ['ro'];
  const guarded = ['nosuid', 'noexec', 'nodev'];
  const size = host.ShmSize || 64 * 1024 * 1024;
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: guarded },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...guarded, ...readOnly] },
    ...(showCgroups
      ? [
          {
            destination: '/sys/fs/cgroup',
            type: 'cgroup',
            source: 'cgroup',
            options: [...guarded, ...readOnly],
          },
        ]
      : []),
    ...(modes.ipc === 'host'
      ? [
          { destination: '/dev/mqueue', type: 'bind', source: '/dev/mqueue', options: ['rbind', ...guarded] },
          { destination: '/dev/shm', type: 'bind', source: '/dev/shm', options: ['rbind', ...guarded] },
        ]
      : [
          { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: guarded },
          ...(modes.ipc === 'none'
            ? []
            : [
                {
                  destination: '/dev/shm',
                  type: 'tmpfs',
                  source: 'shm',
                  options: [...guarded, 'mode=1777', `size=${size}`],
                },
              ]),
        ]),
  ];
}
