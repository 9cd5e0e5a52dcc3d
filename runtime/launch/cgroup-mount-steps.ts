import { basename, dirname } from 'node:path/posix';
import type { SpecMount } from '../base/oci.ts';
import { MS, parseMountOptions } from '../kernel/mount-options.ts';
import { AT_FDCWD } from './constants.ts';
import { mountAt, quote, restrictMount } from './mount-steps.ts';
import type { ProgramBuilder } from './program-builder.ts';
import type { CgroupEntry } from './types.ts';

/** The container's own group in one hierarchy of a host that has version 1. */
export interface CgroupFolder {
  /** As the hierarchy's mount point is called: `memory`, `cpu,cpuacct`, `unified`. */
  readonly name: string;
  readonly path: string;
}

/** Which folders of the host a mount of type cgroup shows; none where the host has only version 2. */
export function cgroupFolders({ v1Procs, v2Dir, path }: CgroupEntry): readonly CgroupFolder[] {
  if (path === undefined || v1Procs.length === 0) return [];
  const folders = [...v1Procs.map((file) => dirname(file)), ...(v2Dir === undefined ? [] : [v2Dir])];
  return folders.map((folder) => ({ name: basename(folder.slice(0, -path.length - 1)), path: folder }));
}

/**
 * A folder for each hierarchy with the container's own group on it, as if that were its root: a bind, which needs neither a cgroup
 * namespace nor the right to mount cgroups. `descriptors` are of the folders.
 */
export function mountCgroupFolders(
  p: ProgramBuilder,
  { destination, options = [] }: SpecMount,
  folders: readonly (CgroupFolder & { readonly descriptor: number })[],
): void {
  const readonly = options.includes('ro');
  mountAt(p, {
    type: 'tmpfs',
    source: p.text('tmpfs'),
    sourceText: 'tmpfs',
    words: ['nosuid', 'nodev', 'noexec', 'mode=755'],
    target: destination,
  });
  const { flags } = parseMountOptions(['nosuid', 'nodev', 'noexec', ...(readonly ? ['ro'] : [])]);
  for (const { name, path, descriptor } of folders) {
    const target = `${destination}/${name}`;
    p.call('mkdirat', [AT_FDCWD, p.text(target), 0o755], { what: `make folder ${quote(target)}` });
    mountAt(p, {
      type: 'bind',
      source: p.text(String(descriptor)),
      sourceText: path,
      words: ['bind'],
      target,
    });
    restrictMount(p, target, flags, quote(target));
    const parts = name.split(',');
    for (const part of parts.length > 1 ? parts : [])
      p.call('symlinkat', [p.text(name), AT_FDCWD, p.text(`${destination}/${part}`)], {
        what: `link ${quote(`${destination}/${part}`)} to ${quote(name)}`,
      });
  }
  if (readonly) restrictMount(p, destination, MS.RDONLY, quote(destination));
}
