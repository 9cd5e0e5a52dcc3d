import { HullError } from '../base/errors.ts';
import type { SpecMount } from '../base/oci.ts';
import { parseMountOptions } from '../kernel/mount-options.ts';
import { mountCgroupFolders } from './cgroup-mount-steps.ts';
import { AT_FDCWD, named } from './constants.ts';
import { mountCopyUp } from './copy-up-steps.ts';
import type { HostHandles } from './host-handles.ts';
import { afterMount, mountAt, quote } from './mount-steps.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { makeFolders, makeTarget, requireFolder } from './target-steps.ts';

/** A mount of the specification, with its target, below the confined root. */
export function specMount(p: ProgramBuilder, mount: SpecMount, host: HostHandles): void {
  const { destination } = mount;
  if (!destination.startsWith('/'))
    throw new HullError(`Cannot mount at ${quote(destination)}: wanted an absolute path`, {
      kind: 'invalid',
    });
  const words = mount.options ?? [];
  if (mount.type === 'cgroup') {
    mountCgroups(p, mount, host);
    return;
  }
  const source = host.sources.get(mount);
  if (!source) {
    makeFolders(p, destination);
    const type = mount.type ?? 'none';
    if (type === 'proc' || type === 'sysfs') requireFolder(p, destination);
    const name = mount.source ?? type;
    // What is made in /dev comes later: see `buildRoot`.
    const later = destination === '/dev' ? words.filter((word) => word !== 'ro') : words;
    const call = { type, source: p.text(name), sourceText: name, words: later, target: destination };
    if (type === 'tmpfs' && parseMountOptions(words).copyUp) mountCopyUp(p, call, host.free);
    else mountAt(p, call);
    return;
  }
  makeTarget(p, source, destination);
  const name = mount.source ?? '';
  // A volume keeps to itself unless it is asked to share: a mount made in it on the host stays there.
  const propagation = parseMountOptions(words).propagation.length === 0 ? ['rprivate'] : [];
  if (source.tree) {
    const what = `mount ${quote(name)} at ${quote(destination)}`;
    const emptyPath = named(4, 'MOVE_MOUNT_F_EMPTY_PATH');
    p.call('move_mount', [source.tree, p.text(''), AT_FDCWD, p.text(destination), emptyPath], { what });
    afterMount(p, destination, quote(destination), parseMountOptions([...words, ...propagation]), true);
    return;
  }
  const bind = words.includes('rbind') || words.includes('bind') ? [] : ['bind'];
  mountAt(p, {
    type: 'bind',
    source: p.text(String(source.descriptor)),
    sourceText: name,
    words: [...bind, ...words, ...propagation],
    target: destination,
  });
}

/** The one hierarchy of version 2, as the container's cgroup namespace shows it; or a folder for each of version 1. */
function mountCgroups(p: ProgramBuilder, mount: SpecMount, { cgroups }: HostHandles): void {
  const { destination, options = [] } = mount;
  makeFolders(p, destination);
  if (cgroups.length > 0) {
    mountCgroupFolders(p, mount, cgroups);
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
