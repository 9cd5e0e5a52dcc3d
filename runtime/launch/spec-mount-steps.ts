import { HullError } from '../base/errors.ts';
import type { SpecMount } from '../base/oci.ts';
import { parseMountOptions } from '../kernel/mount-options.ts';
import { mountCgroupFolders } from './cgroup-mount-steps.ts';
import { AT_FDCWD, MOVE_MOUNT, named } from './constants.ts';
import { cgroupRoot, type HostHandles } from './host-handles.ts';
import type { LinkedTargets } from './linked-target-steps.ts';
import { afterMount, mountAt, mountFlags, quote } from './mount-steps.ts';
import type { Cell } from './program.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { makeFolders, makeFolderTarget, makeTarget, requireFolder } from './target-steps.ts';
import { mountTmpfs } from './tmpfs-steps.ts';

/** A mount of the specification, with its target, below the confined root. */
export function specMount(
  p: ProgramBuilder,
  mount: SpecMount,
  host: HostHandles,
  linked: LinkedTargets,
): void {
  const { destination } = mount;
  if (!destination.startsWith('/'))
    throw new HullError(`Cannot mount at ${quote(destination)}: wanted an absolute path`, {
      kind: 'invalid',
    });
  const words = mount.options ?? [];
  if (mount.type === 'cgroup') {
    mountCgroups(p, mount, host, linked);
    return;
  }
  const source = host.sources.get(mount);
  if (!source) {
    const type = mount.type ?? 'none';
    const name = mount.source ?? type;
    // What is made in /dev comes later: see `buildRoot`.
    const later = destination === '/dev' ? words.filter((word) => word !== 'ro') : words;
    const call = { type, source: p.text(name), sourceText: name, words: later, target: destination };
    const make = () => makeFolderTarget(p, linked, destination);
    if (type === 'tmpfs') {
      mountTmpfs(p, call, host.free, make);
      return;
    }
    if (type === 'proc' || type === 'sysfs') {
      makeFolders(p, destination);
      requireFolder(p, destination);
    } else make();
    mountAt(p, call);
    return;
  }
  makeTarget(p, linked, source, destination);
  const name = mount.source ?? '';
  // A volume keeps to itself unless it is asked to share: a mount made in it on the host stays there.
  const propagation = parseMountOptions(words).propagation.length === 0 ? ['rprivate'] : [];
  const move = (tree: Cell | number, what: string) => {
    p.call('move_mount', [tree, p.text(''), AT_FDCWD, p.text(destination), MOVE_MOUNT], { what });
  };
  if (source.tree) {
    move(copyAgain(p, source.tree, name), `mount ${quote(name)} at ${quote(destination)}`);
    afterMount(p, destination, quote(destination), parseMountOptions([...words, ...propagation]), true);
    return;
  }
  const bind = words.includes('rbind') || words.includes('bind') ? [] : ['bind'];
  const call = {
    type: 'bind',
    source: p.text(String(source.descriptor)),
    sourceText: name,
    words: [...bind, ...words, ...propagation],
    target: destination,
  };
  mountAt(p, call, (mounted) => {
    if (!source.copied) return;
    const own = p.label(`bind ${quote(destination)}`);
    p.local(source.copied, { zero: own });
    move(source.descriptor, `mount the copy of ${quote(name)} at ${quote(destination)}`);
    p.goto(mounted);
    p.place(own);
  });
}

/**
 * Since Linux 6.8 mountinfo is in the order of the mounts' numbers, and who reads it wants that of the specification: a copy gets its own
 * now. Before 6.15 a detached tree cannot be copied; then it is mounted itself.
 */
function copyAgain(p: ProgramBuilder, tree: Cell, name: string): Cell {
  const [copy, chosen] = [p.cell('copy of a tree'), p.cell('tree to mount')];
  const over = p.label(`${quote(name)} copied again`);
  const all = named(0o2000001 | 0x9000, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH|AT_RECURSIVE');
  p.copy(tree, chosen);
  p.call('open_tree', [tree, p.text(''), all], {
    what: `copy the mount of ${quote(name)} again`,
    result: copy,
    errors: over,
  });
  p.copy(copy, chosen);
  p.place(over);
  return chosen;
}

/** The one hierarchy of version 2, as the container's cgroup namespace shows it; or a folder for each of version 1. */
function mountCgroups(
  p: ProgramBuilder,
  mount: SpecMount,
  { cgroups, unified }: HostHandles,
  linked: LinkedTargets,
): void {
  const { destination, options = [] } = mount;
  makeFolderTarget(p, linked, destination);
  if (cgroups.length > 0) {
    mountCgroupFolders(p, mount, cgroups);
    return;
  }
  if (unified !== undefined) {
    const { flags } = parseMountOptions(options);
    const bind = { type: 'bind', source: p.text(String(unified)), sourceText: cgroupRoot };
    mountAt(p, { ...bind, words: ['rbind', ...options], target: destination }, (mounted) => {
      const args = [p.text('cgroup'), p.text(destination), p.text('cgroup2'), mountFlags(flags), 0] as const;
      const what = `mount "cgroup2" at ${quote(destination)}`;
      p.call('mount', args, { what, errors: { EPERM: 'next', EBUSY: 'next' }, zero: mounted });
    });
    return;
  }
  mountAt(p, {
    type: 'cgroup2',
    source: p.text('cgroup'),
    sourceText: 'cgroup',
    words: options,
    target: destination,
  });
}
