import { chownSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { codeOf } from '../base/errors.ts';
import type { Spec } from '../base/oci.ts';
import { MS, parseMountOptions } from '../kernel/mount-options.ts';
import type { CgroupEntry } from '../launch/types.ts';

/** Where the kernel does not say which files go with a group that is handed over: as the specification has it. */
const usual = ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'];

/**
 * The user of a container that sees its own group as the root, and may write there, has it, so that it can make groups below
 * (specification, "Cgroup ownership"). On version 2 alone, as handing over a group of version 1 is not safe.
 */
export function giveGroup({ v1Procs, v2Dir }: CgroupEntry, spec: Spec): void {
  if (v2Dir === undefined || v1Procs.length > 0 || !isWritable(spec)) return;
  const owner = ownerOf(spec);
  if (owner === undefined || owner === 0) return;
  chownSync(v2Dir, owner, -1);
  for (const name of filesToGive()) {
    try {
      chownSync(join(v2Dir, name), owner, -1);
    } catch (error) {
      // The kernel lists files of controllers that are not enabled here.
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
}

function isWritable({ mounts = [], linux }: Spec): boolean {
  const own = linux.namespaces.some(({ type, path }) => type === 'cgroup' && path === undefined);
  return (
    own &&
    mounts.some(
      ({ type, destination, options = [] }) =>
        type === 'cgroup' &&
        normalize(destination) === '/sys/fs/cgroup' &&
        (parseMountOptions(options).flags & MS.RDONLY) === 0,
    )
  );
}

/** The host's number of the process's user; undefined where it has none. */
function ownerOf({ process, linux }: Spec): number | undefined {
  const { uid } = process.user;
  const { namespaces, uidMappings = [] } = linux;
  if (!namespaces.some(({ type }) => type === 'user')) return uid;
  const map = uidMappings.find(({ containerID, size }) => uid >= containerID && uid < containerID + size);
  return map && map.hostID + uid - map.containerID;
}

function filesToGive(): readonly string[] {
  try {
    return readFileSync('/sys/kernel/cgroup/delegate', 'utf8').trim().split('\n');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return usual;
    throw error;
  }
}
