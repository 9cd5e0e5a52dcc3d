import type { Spec, SpecMount } from '../base/oci.ts';
import { MS, parseMountOptions } from '../kernel/mount-options.ts';
import { AT_FDCWD, flagsOf, named, OPEN } from './constants.ts';
import { defaultDevices, nodeOf } from './device-steps.ts';
import { isBind, sourceDescriptor } from './host-handles.ts';
import { openMappedTrees } from './idmapped-mount-steps.ts';
import { quote, stagingRoot } from './mount-steps.ts';
import type { NamespacePlan } from './namespace-steps.ts';
import type { Cell } from './program.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { toHostId } from './user-namespace-steps.ts';

/** What of the host only somebody outside of the container's user namespace can open: the helper, before the clone. */
export interface OutsideHandles {
  /** Sources of mounts with mapped ids; absent where they are opened as all others. */
  readonly mapped?: ReadonlyMap<SpecMount, Cell>;
  /**
   * Detached copies of the other sources, at the descriptors that these will have: for those behind a folder that the mapped root may
   * not enter. Negative where the kernel (Linux 5.2) or the caller's rights allow none.
   */
  readonly copies: ReadonlyMap<SpecMount, Cell>;
  readonly nodes?: DeviceNodes;
}

/** A detached tmpfs with the specification's devices: the host may have none of that name to bind. */
export interface DeviceNodes {
  /** Negative as above. */
  readonly folder: Cell;
  /** By the device's path. */
  readonly names: ReadonlyMap<string, string>;
}

export function openOutside(p: ProgramBuilder, spec: Spec, namespaces: NamespacePlan): OutsideHandles {
  const mapped = namespaces.user === 'new' ? openMappedTrees(p, spec) : undefined;
  const ownMounts = namespaces.isNew('mount');
  const nodes = ownMounts && namespaces.user === 'new' ? makeNodes(p, spec) : undefined;
  return {
    ...(mapped ? { mapped } : {}),
    copies: ownMounts ? copySources(p, spec, mapped) : new Map(),
    ...(nodes ? { nodes } : {}),
  };
}

function copySources(
  p: ProgramBuilder,
  { mounts = [] }: Spec,
  mapped: OutsideHandles['mapped'],
): ReadonlyMap<SpecMount, Cell> {
  const copies = new Map<SpecMount, Cell>();
  for (const [index, mount] of mounts.filter(isBind).entries()) {
    const { source = '', subpath = '' } = mount;
    const { flags, propagation } = parseMountOptions(mount.options ?? []);
    // What is shared would be so with the host, and a user namespace has no right to that.
    const isShared = propagation.some((change) => (change & MS.SHARED) !== 0);
    if (mapped?.has(mount) || subpath !== '' || isShared) continue;
    const copy = p.cell('copy of a source');
    const over = p.label(`${quote(source)} copied`);
    const how =
      (flags & MS.REC) === 0
        ? named(0o2000001, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC')
        : named(0o2000001 | 0x8000, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE');
    p.call('open_tree', [AT_FDCWD, p.text(source), how], {
      what: `copy the mount of ${quote(source)}`,
      result: copy,
      errors: over,
    });
    p.call('dup3', [copy, sourceDescriptor(p, index), flagsOf('O_', OPEN, ['CLOEXEC'])]);
    p.call('close', [copy]);
    p.place(over);
    copies.set(mount, copy);
  }
  return copies;
}

function makeNodes(p: ProgramBuilder, { linux }: Spec): DeviceNodes | undefined {
  const devices = (linux.devices ?? []).filter(({ path }) => !Object.hasOwn(defaultDevices, path));
  if (devices.length === 0) return undefined;
  const [context, folder] = [p.cell('file system'), p.cell('device nodes', -1)];
  const over = p.label('device nodes made');
  const names = new Map<string, string>();
  const make = { what: 'make a file system for device nodes', errors: over };
  p.call('fsopen', [p.text('tmpfs'), named(1, 'FSOPEN_CLOEXEC')], { ...make, result: context });
  p.call('fsconfig', [context, named(6, 'FSCONFIG_CMD_CREATE'), 0, 0, 0], make);
  p.call('fsmount', [context, named(1, 'FSMOUNT_CLOEXEC'), 0], { ...make, result: folder });
  p.call('close', [context]);
  for (const [index, device] of devices.entries()) {
    const { mode, number } = nodeOf(device);
    const [name, what] = [String(index), `make device ${quote(device.path)}`];
    const owner = [
      toHostId(device.uid ?? 0, linux.uidMappings ?? []) ?? -1,
      toHostId(device.gid ?? 0, linux.gidMappings ?? []) ?? -1,
    ] as const;
    // Whether it is needed shows later, when the host is asked for its own.
    p.call('mknodat', [folder, p.text(name), mode, number], { what, errors: 'next' });
    p.call('fchmodat', [folder, p.text(name), (device.fileMode ?? 0o666) & 0o7777], { what, errors: 'next' });
    p.call('fchownat', [folder, p.text(name), ...owner, 0], { what, errors: 'next' });
    names.set(device.path, name);
  }
  p.place(over);
  return { folder, names };
}

/** A bind mount's source must be a mount of its own namespace: they get a place in the staging root. */
export function attachNodes(p: ProgramBuilder, { folder }: DeviceNodes): void {
  const none = p.label('no device nodes');
  const place = `${stagingRoot}/nodes`;
  p.local(folder, { negative: none });
  p.call('mkdirat', [AT_FDCWD, p.text(place), 0o700], { what: 'make staging folder nodes' });
  p.call('move_mount', [folder, p.text(''), AT_FDCWD, p.text(place), named(4, 'MOVE_MOUNT_F_EMPTY_PATH')], {
    what: 'mount the device nodes',
  });
  p.place(none);
}
