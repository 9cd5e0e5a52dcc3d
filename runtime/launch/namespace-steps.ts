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
  /** For clone(2). The cgroup namespace is not among them: it is unshared once the cgroup has been entered. */
  readonly cloneFlags: { readonly value: number; readonly text: string };
}

export function planNamespaces({ linux }: Spec): NamespacePlan {
  for (const { type, path } of linux.namespaces) {
    if (type === 'user' || type === 'time')
      throw new HullError(`Cannot make a ${type} namespace: hull cannot do that yet`, {
        kind: 'unsupported',
      });
    if (type === 'mount' && path !== undefined)
      throw new HullError(`Cannot join mount namespace ${quote(path)}: hull mounts every root in a new one`, {
        kind: 'unsupported',
      });
  }
  const isNew = (type: NamespaceType) =>
    linux.namespaces.some((entry) => entry.type === type && entry.path === undefined);
  if (!isNew('mount'))
    throw new HullError('Cannot start without a mount namespace: the root is mounted in it', {
      kind: 'invalid',
    });
  const names = (['mount', 'pid', 'network', 'ipc', 'uts'] as const)
    .filter(isNew)
    .map((type) => cloneFlags[type]);
  return {
    isNew,
    joined: linux.namespaces.flatMap(({ type, path }) => (path === undefined ? [] : [{ type, path }])),
    cloneFlags: {
      value: names.reduce((flags, name) => flags | CLONE[name], 0),
      text: names.map((name) => `CLONE_${name}`).join('|'),
    },
  };
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
