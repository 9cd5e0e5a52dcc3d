import type { Spec, SpecMount } from '../base/oci.ts';
import { MS, parseMountOptions } from '../kernel/mount-options.ts';
import { type CgroupFolder, cgroupFolders } from './cgroup-mount-steps.ts';
import { words } from './common-steps.ts';
import { AT_FDCWD, flagsOf, named, OPEN } from './constants.ts';
import { defaultDevices } from './device-steps.ts';
import { openMappedTrees } from './idmapped-mount-steps.ts';
import { quote } from './mount-steps.ts';
import type { NamespacePlan } from './namespace-steps.ts';
import type { Cell } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';
import type { CgroupEntry } from './types.ts';
import type { ClonedTrees } from './user-namespace-steps.ts';

/** What of the host a root is made of, opened while the host's tree is in sight. */
export interface HostHandles {
  /** The host's /proc. */
  readonly proc: Cell;
  /** The host's /proc/self/fd. */
  readonly descriptors: Cell;
  readonly sources: ReadonlyMap<SpecMount, BindSource>;
  /** In a user namespace no device can be made: the host's are bound in. */
  readonly devices: ReadonlyMap<string, number>;
  /** What a mount of type cgroup shows on a host with version 1. */
  readonly cgroups: readonly (CgroupFolder & { readonly descriptor: number })[];
  /** Two numbers that are free. */
  readonly free: readonly [number, number];
}

export interface BindSource {
  /** Fixed, so that the source can be named by it. */
  readonly descriptor: number;
  /** A detached copy, for move_mount: still in its peer group (rshared volumes), or with its ids mapped. */
  readonly tree?: Cell;
}

export const nullDescriptor = (p: ProgramBuilder): number => p.recordDescriptor + 96;
const firstSourceDescriptor = (p: ProgramBuilder): number => p.recordDescriptor + 97;

export function openHostHandles(
  p: ProgramBuilder,
  { spec, cgroup }: { readonly spec: Pick<Spec, 'mounts' | 'linux'>; readonly cgroup: CgroupEntry },
  namespaces: Pick<NamespacePlan, 'user'>,
  mapped: ClonedTrees = openMappedTrees(p, spec),
): HostHandles {
  const mounts = spec.mounts ?? [];
  const proc = openPath(p, 'proc', '/proc', 'open /proc');
  const descriptors = openPath(p, 'own descriptors', '/proc/self/fd', 'open /proc/self/fd');
  fix(p, openPath(p, 'null', '/dev/null', 'open "/dev/null"'), nullDescriptor(p));
  const sources = new Map<SpecMount, BindSource>();
  for (const mount of mounts) {
    if (!isBind(mount)) continue;
    const source = mount.source ?? '';
    const descriptor = firstSourceDescriptor(p) + sources.size;
    fix(p, openSource(p, mount), descriptor);
    const { propagation, flags } = parseMountOptions(mount.options ?? []);
    const own = mapped?.get(mount);
    if (own) {
      sources.set(mount, { descriptor, tree: own });
      continue;
    }
    if (!propagation.some((change) => (change & MS.SHARED) !== 0)) {
      sources.set(mount, { descriptor });
      continue;
    }
    const tree = p.cell('tree');
    const recursive = (flags & MS.REC) !== 0 ? 0x8000 : 0;
    const openTree = named(0o2000001 | 0x1000 | recursive, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH');
    p.call('open_tree', [descriptor, p.text(''), openTree], {
      what: `copy the mount of ${quote(source)}`,
      result: tree,
    });
    sources.set(mount, { descriptor, tree });
  }
  const devices = new Map<string, number>();
  if (namespaces.user) {
    const paths = new Set([
      ...Object.keys(defaultDevices),
      ...(spec.linux.devices ?? []).map(({ path }) => path),
    ]);
    for (const path of paths) {
      const descriptor = firstSourceDescriptor(p) + sources.size + devices.size;
      fix(p, openPath(p, 'device', path, `open device ${quote(path)}`), descriptor);
      devices.set(path, descriptor);
    }
  }
  const shown = mounts.some(({ type }) => type === 'cgroup') ? cgroupFolders(cgroup) : [];
  const cgroups = shown.map((folder, index) => {
    const descriptor = firstSourceDescriptor(p) + sources.size + devices.size + index;
    fix(p, openPath(p, 'cgroup', folder.path, `open cgroup ${quote(folder.path)}`), descriptor);
    return { ...folder, descriptor };
  });
  const used = sources.size + devices.size + cgroups.length;
  const first = firstSourceDescriptor(p) + used;
  return { proc, descriptors, sources, devices, cgroups, free: [first, first + 1] };
}

export function openPath(p: ProgramBuilder, name: string, path: string, what: string): Cell {
  const fd = p.cell(name);
  p.call('openat', [AT_FDCWD, p.text(path), flagsOf('O_', OPEN, ['PATH', 'CLOEXEC'])], { what, result: fd });
  return fd;
}

/** What a bind mount shows. A part of it is looked up as if the source were the root: openat2(2), since 5.6. */
function openSource(p: ProgramBuilder, { source = '', destination, subpath = '' }: SpecMount): Cell {
  const whole = openPath(p, 'source', source, `open ${quote(source)} for ${quote(destination)}`);
  if (subpath === '') return whole;
  const part = p.cell('part of the source');
  const inRoot = 0x10;
  const how = words(p, 'open_how {O_PATH|O_CLOEXEC, RESOLVE_IN_ROOT}', [0o12000000, 0, inRoot]);
  p.call('openat2', [whole, p.text(subpath), address(how), 24], {
    what: `open ${quote(subpath)} in ${quote(source)} for ${quote(destination)}`,
    result: part,
  });
  p.call('close', [whole]);
  return part;
}

function fix(p: ProgramBuilder, fd: Cell, descriptor: number): void {
  p.call('dup3', [fd, descriptor, flagsOf('O_', OPEN, ['CLOEXEC'])]);
  p.call('close', [fd]);
}

export function isBind({ type, options }: SpecMount): boolean {
  return type === 'bind' || (options ?? []).some((word) => word === 'bind' || word === 'rbind');
}
