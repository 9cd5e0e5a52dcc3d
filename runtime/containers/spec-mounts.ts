import { posix } from 'node:path';
import { HullError } from '../base/errors.ts';
import type { SpecMount } from '../base/oci.ts';
import type { HostConfig, MountRequest } from './create-request.ts';
import type { HostModes } from './host-modes.ts';

/** Docker's default mounts, then what the client asked for; a wish replaces the default at the same place. */
export function mountsOf(
  host: HostConfig,
  modes: HostModes,
  files: readonly SpecMount[],
  { showCgroups }: { readonly showCgroups: boolean },
): SpecMount[] {
  const wished = [...host.Binds.map(parseBind), ...host.Mounts.map(fromMount), ...tmpfsOf(host)];
  const taken = new Set<string>();
  for (const { destination } of wished) {
    if (taken.has(destination)) throw invalid(`Duplicate mount point ${JSON.stringify(destination)}`);
    if (destination === '/') throw invalid('a mount at "/" would hide the image');
    taken.add(destination);
  }
  const defaults = [...defaultMounts(host, modes, showCgroups), ...files].filter(
    ({ destination }) => !taken.has(destination),
  );
  // Parents first, so that nothing hides what was mounted before it.
  const depth = ({ destination }: SpecMount) => destination.split('/').length;
  return [...defaults, ...wished.toSorted((a, b) => depth(a) - depth(b))];
}

/** Host folders that Docker makes when they are missing: those of Binds, not of Mounts. */
export function bindSources(host: HostConfig): readonly string[] {
  return host.Binds.flatMap((bind) => parseBind(bind).source ?? []);
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

/** `/host/path:/container/path[:ro,rslave,…]`. */
export function parseBind(bind: string): SpecMount {
  const [source = '', target = '', words = '', ...rest] = bind.split(':');
  if (rest.length > 0 || target === '') {
    throw invalid(
      `HostConfig.Binds: found ${JSON.stringify(bind)}, wanted "/host/path:/container/path[:options]"`,
    );
  }
  if (!source.startsWith('/')) {
    throw new HullError(
      `Cannot create a container: HostConfig.Binds: found the volume ${JSON.stringify(source)}, wanted an absolute host path (hull has no volumes yet)`,
      { kind: 'unsupported' },
    );
  }
  const given = words === '' ? [] : words.split(',');
  const stray = given.find((word) => !['ro', 'rw', 'nocopy', ...propagations].includes(word));
  if (stray !== undefined) {
    throw invalid(
      `HostConfig.Binds: found option ${JSON.stringify(stray)}, wanted ro, rw or a propagation mode`,
    );
  }
  const propagation = given.find((word) => propagations.includes(word)) ?? 'rprivate';
  return bindMount(source, target, given.includes('ro'), propagation, true);
}

function fromMount(mount: MountRequest): SpecMount {
  if (mount.Type === 'tmpfs') {
    const { SizeBytes = 0, Mode = 0 } = mount.TmpfsOptions ?? {};
    return {
      destination: clean(mount.Target),
      type: 'tmpfs',
      source: 'tmpfs',
      options: [
        'nosuid',
        'noexec',
        'nodev',
        ...(mount.ReadOnly ? ['ro'] : []),
        ...(SizeBytes > 0 ? [`size=${SizeBytes}`] : []),
        ...(Mode > 0 ? [`mode=${Mode.toString(8)}`] : []),
      ],
    };
  }
  if (!mount.Source.startsWith('/')) {
    throw invalid(
      `HostConfig.Mounts: found Source ${JSON.stringify(mount.Source)}, wanted an absolute host path`,
    );
  }
  const { Propagation = '', NonRecursive = false } = mount.BindOptions ?? {};
  if (Propagation !== '' && !propagations.includes(Propagation)) {
    throw invalid(
      `HostConfig.Mounts: found Propagation ${JSON.stringify(Propagation)}, wanted ${propagations.join(', ')}`,
    );
  }
  return bindMount(mount.Source, mount.Target, mount.ReadOnly, Propagation || 'rprivate', !NonRecursive);
}

function tmpfsOf(host: HostConfig): SpecMount[] {
  return Object.entries(host.Tmpfs).map(([target, words]) => {
    const given = words === '' ? [] : words.split(',');
    const defaults = ['nosuid', 'noexec', 'nodev'].filter((word) => !given.includes(word.slice(2)));
    const options = [...new Set([...defaults, ...given.filter((word) => word !== 'rw')])];
    return { destination: clean(target), type: 'tmpfs', source: 'tmpfs', options };
  });
}

function bindMount(
  source: string,
  target: string,
  readOnly: boolean,
  propagation: string,
  deep: boolean,
): SpecMount {
  const options = [deep ? 'rbind' : 'bind', propagation, ...(readOnly ? ['ro'] : [])];
  return { destination: clean(target), type: 'bind', source: posix.normalize(source), options };
}

function clean(target: string): string {
  if (!target.startsWith('/')) {
    throw invalid(`found the mount point ${JSON.stringify(target)}, wanted an absolute path`);
  }
  const normal = posix.normalize(target);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

function invalid(reason: string): HullError {
  return new HullError(`Cannot create a container: ${reason}`, { kind: 'invalid' });
}

const propagations: readonly string[] = ['rprivate', 'private', 'rslave', 'slave', 'rshared', 'shared'];
