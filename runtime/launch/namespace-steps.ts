import { HullError } from '../base/errors.ts';
import type { NamespaceType, Spec } from '../base/oci.ts';
import { AT_FDCWD, CLONE, flagsOf, named, OPEN } from './constants.ts';
import { quote } from './mount-steps.ts';
import type { Named } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';

const cloneFlags: Readonly<Record<NamespaceType, keyof typeof CLONE>> = {
  mount: 'NEWNS',
  pid: 'NEWPID',
  network: 'NEWNET',
  ipc: 'NEWIPC',
  uts: 'NEWUTS',
  user: 'NEWUSER',
  cgroup: 'NEWCGROUP',
  time: 'NEWTIME',
};

/** Which namespaces are made new, joined, or stay the host's. */
export interface NamespacePlan {
  readonly isNew: (type: NamespaceType) => boolean;
  readonly joined: readonly { readonly type: NamespaceType; readonly path: string }[];
  /** Of the user namespace; undefined for the host's. */
  readonly user: 'new' | 'joined' | undefined;
  /**
   * The first process is cloned by a helper of its own, which joins namespaces and the cgroup first: what is made in a
   * user namespace belongs to it, and a time namespace is only for children.
   */
  readonly needsHelper: boolean;
  /** For clone(2). The cgroup namespace is not among them: it is unshared once the cgroup has been entered. */
  readonly cloneFlags: { readonly value: number; readonly text: string };
}

export function planNamespaces({ linux }: Spec): NamespacePlan {
  const { uidMappings = [], gidMappings = [], timeOffsets = {} } = linux;
  const isNew = (type: NamespaceType) =>
    linux.namespaces.some((entry) => entry.type === type && entry.path === undefined);
  const joined = linux.namespaces.flatMap(({ type, path }) => (path === undefined ? [] : [{ type, path }]));
  const user = isNew('user') ? 'new' : joined.some(({ type }) => type === 'user') ? 'joined' : undefined;
  if (user === 'new' && (uidMappings.length === 0 || gidMappings.length === 0))
    throw invalid('Cannot make a user namespace: found none, wanted linux.uidMappings and linux.gidMappings');
  if (user === undefined && (uidMappings.length > 0 || gidMappings.length > 0))
    throw invalid('Cannot map ids: found linux.uidMappings or gidMappings without a user namespace');
  if (Object.keys(timeOffsets).length > 0 && !isNew('time'))
    throw invalid('Cannot set linux.timeOffsets: found no new time namespace');
  const types = ['mount', 'pid', 'network', 'ipc', 'uts', 'user'] as const;
  const names = types.filter(isNew).map((type) => cloneFlags[type]);
  return {
    isNew,
    joined,
    user,
    needsHelper: user !== undefined || isNew('time'),
    cloneFlags: {
      value: names.reduce((flags, name) => flags | CLONE[name], 0),
      text: names.map((name) => `CLONE_${name}`).join('|'),
    },
  };
}

function invalid(message: string): HullError {
  return new HullError(message, { kind: 'invalid' });
}

export function namespaceFlag(type: NamespaceType): Named {
  return named(CLONE[cloneFlags[type]], `CLONE_${cloneFlags[type]}`);
}

/** Joins a namespace by its file. For `pid` it is the children that are in it. */
export function joinNamespace(p: ProgramBuilder, type: NamespaceType, path: string): void {
  const fd = p.cell(`${type} namespace`);
  const what = `join ${type} namespace ${quote(path)}`;
  p.call('openat', [AT_FDCWD, p.text(path), flagsOf('O_', OPEN, ['RDONLY', 'CLOEXEC'])], {
    what,
    result: fd,
  });
  p.call('setns', [fd, namespaceFlag(type)], { what });
  p.call('close', [fd]);
}

/** The loopback device of a new network namespace is down at first. netdevice(7) */
export function raiseLoopback(p: ProgramBuilder): void {
  const what = 'raise the loopback device';
  const socket = p.cell('socket');
  p.call('socket', [named(2, 'AF_INET'), named(0o2000002, 'SOCK_DGRAM|SOCK_CLOEXEC'), 0], {
    what,
    result: socket,
  });
  const request = Buffer.alloc(40);
  request.write('lo');
  const upRunning = 0x41;
  request.writeUInt16LE(upRunning, 16);
  const setFlags = named(0x8914, 'SIOCSIFFLAGS');
  p.call('ioctl', [socket, setFlags, address(p.bytes('ifreq {lo, IFF_UP|IFF_RUNNING}', request))], { what });
  p.call('close', [socket]);
}
