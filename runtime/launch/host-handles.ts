import type { Spec, SpecMount } from '../base/oci.ts';
import { MS, parseMountOptions } from '../kernel/mount-options.ts';
import { type CgroupFolder, cgroupFolders } from './cgroup-mount-steps.ts';
import { words } from './common-steps.ts';
import { AT_FDCWD, flagsOf, named, OPEN } from './constants.ts';
import { defaultDevices } from './device-steps.ts';
import { openMappedTrees } from './idmapped-mount-steps.ts';
import { quote } from './mount-steps.ts';
import type { NamespacePlan } from './namespace-steps.ts';
import type { DeviceNodes, OutsideHandles } from './outside-handles.ts';
import type { Cell, Target } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';
import type { CgroupEntry } from './types.ts';

/** What of the host a root is made of, opened while the host's tree is in sight. */
export interface HostHandles {
  /** The host's /proc. */
  readonly proc: Cell;
  /** The host's /proc/self/fd. */
  readonly descriptors: Cell;
  readonly sources: ReadonlyMap<SpecMount, BindSource>;
  /** In a user namespace no device can be made: the host's are bound in. */
  readonly devices: ReadonlyMap<string, number>;
  /** Some of these may be of it. */
  readonly nodes?: DeviceNodes;
  /** What a mount of type cgroup shows on a host with version 1. */
  readonly cgroups: readonly (CgroupFolder & { readonly descriptor: number })[];
  /** The host's cgroup2, for where it cannot be mounted anew: in a user namespace, without a cgroup namespace of ours. */
  readonly unified?: number;
  /** Two numbers that are free. */
  readonly free: readonly [number, number];
}

export interface BindSource {
  /** Fixed, so that the source can be named by it. */
  readonly descriptor: number;
  /** A detached copy, for move_mount: still in its peer group (rshared volumes), or with its ids mapped. */
  readonly tree?: Cell;
  /** Not 0 where the descriptor is a detached copy, for move_mount too. */
  readonly copied?: Cell;
}

/** Where every host with nothing but version 2 has it. */
export const cgroupRoot = '/sys/fs/cgroup';
export const nullDescriptor = (p: ProgramBuilder): number => p.recordDescriptor + 96;
/** Of a bind mount's source, by its place among the bind mounts. */
export const sourceDescriptor = (p: ProgramBuilder, index: number): number => p.recordDescriptor + 97 + index;

interface HandlesRequest {
  readonly spec: Pick<Spec, 'mounts' | 'linux'>;
  readonly cgroup: CgroupEntry;
  /** As in RootRequest, both. */
  readonly shownCgroups?: readonly CgroupFolder[];
  readonly inUserNamespace?: boolean;
}

export function openHostHandles(
  p: ProgramBuilder,
  { spec, cgroup, shownCgroups, inUserNamespace }: HandlesRequest,
  namespaces: Pick<NamespacePlan, 'user'>,
  outside?: OutsideHandles,
): HostHandles {
  const mounts = spec.mounts ?? [];
  const mapped = outside?.mapped ?? openMappedTrees(p, spec);
  const proc = openPath(p, 'proc', '/proc', 'open /proc');
  const descriptors = openPath(p, 'own descriptors', '/proc/self/fd', 'open /proc/self/fd');
  fix(p, openPath(p, 'null', '/dev/null', 'open "/dev/null"'), nullDescriptor(p));
  const sources = new Map<SpecMount, BindSource>();
  for (const mount of mounts) {
    if (!isBind(mount)) continue;
    const source = mount.source ?? '';
    const descriptor = sourceDescriptor(p, sources.size);
    const copied = openSource(p, mount, descriptor, outside?.copies.get(mount));
    const { propagation, flags } = parseMountOptions(mount.options ?? []);
    const own = mapped.get(mount);
    if (own) {
      sources.set(mount, { descriptor, tree: own });
      continue;
    }
    if (!propagation.some((change) => (change & MS.SHARED) !== 0)) {
      sources.set(mount, { descriptor, ...(copied ? { copied } : {}) });
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
  if (namespaces.user || inUserNamespace) {
    const paths = new Set([
      ...Object.keys(defaultDevices),
      ...(spec.linux.devices ?? []).map(({ path }) => path),
    ]);
    for (const path of paths) {
      const descriptor = sourceDescriptor(p, sources.size + devices.size);
      fix(p, openDevice(p, path, outside?.nodes), descriptor);
      devices.set(path, descriptor);
    }
  }
  const isShown = mounts.some(({ type }) => type === 'cgroup');
  const shown = isShown ? (shownCgroups ?? cgroupFolders(cgroup)) : [];
  const cgroups = shown.map((folder, index) => {
    const descriptor = sourceDescriptor(p, sources.size + devices.size + index);
    fix(p, openPath(p, 'cgroup', folder.path, `open cgroup ${quote(folder.path)}`), descriptor);
    return { ...folder, descriptor };
  });
  const isOurs = spec.linux.namespaces.some(({ type, path }) => type === 'cgroup' && path === undefined);
  const mayFail = inUserNamespace || (namespaces.user !== undefined && !isOurs);
  const needsUnified = isShown && cgroups.length === 0 && mayFail;
  const unified = sourceDescriptor(p, sources.size + devices.size);
  if (needsUnified) fix(p, openPath(p, 'cgroup', cgroupRoot, `open ${quote(cgroupRoot)}`), unified);
  const used = sources.size + devices.size + (needsUnified ? 1 : cgroups.length);
  const first = sourceDescriptor(p, used);
  const nodes = outside?.nodes ? { nodes: outside.nodes } : {};
  return {
    proc,
    descriptors,
    sources,
    devices,
    ...nodes,
    cgroups,
    ...(needsUnified ? { unified } : {}),
    free: [first, first + 1],
  };
}

export function openPath(
  p: ProgramBuilder,
  name: string,
  path: string,
  what: string,
  errors: Readonly<Record<string, Target>> = {},
): Cell {
  const fd = p.cell(name);
  const how = flagsOf('O_', OPEN, ['PATH', 'CLOEXEC']);
  p.call('openat', [AT_FDCWD, p.text(path), how], { what, result: fd, errors });
  return fd;
}

/**
 * Where the way to it is closed to us, the copy made from outside stays at the descriptor. Answers what tells which of them it is, if
 * there is a copy.
 */
function openSource(
  p: ProgramBuilder,
  mount: SpecMount,
  descriptor: number,
  copy: Cell | undefined,
): Cell | undefined {
  const { source = '', destination } = mount;
  const what = `open ${quote(source)} for ${quote(destination)}`;
  if (!copy) {
    fix(p, openPart(p, openPath(p, 'source', source, what), mount), descriptor);
    return undefined;
  }
  const copied = p.cell('source is a copy');
  const [beyond, opened] = [p.label(`${quote(source)} beyond reach`), p.label(`${quote(source)} opened`)];
  fix(p, openPath(p, 'source', source, what, { EACCES: beyond }), descriptor);
  p.goto(opened);
  p.place(beyond);
  p.local(copy, { result: copied, positive: opened });
  openPath(p, 'source', source, `${what}, beyond reach`);
  p.place(opened);
  return copied;
}

/** The host's, or the one made for us where the host has none of that name. */
function openDevice(p: ProgramBuilder, path: string, nodes: DeviceNodes | undefined): Cell {
  const name = nodes?.names.get(path);
  const what = `open device ${quote(path)}`;
  if (!nodes || name === undefined) return openPath(p, 'device', path, what);
  const [absent, opened] = [p.label(`no device ${path}`), p.label(`device ${path} opened`)];
  const device = openPath(p, 'device', path, what, { ENOENT: absent });
  p.goto(opened);
  p.place(absent);
  const how = flagsOf('O_', OPEN, ['PATH', 'CLOEXEC']);
  p.call('openat', [nodes.folder, p.text(name), how], {
    what: `open the device made for ${quote(path)}`,
    result: device,
  });
  p.place(opened);
  return device;
}

/** A part of a source is looked up as if the source were the root: openat2(2), since 5.6. */
function openPart(
  p: ProgramBuilder,
  whole: Cell,
  { source = '', destination, subpath = '' }: SpecMount,
): Cell {
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
