import type { CgroupManager } from './cgroup.ts';

/** Finds the host's hierarchies. Kind `unsupported` where none is mounted. */
export async function openCgroups(): Promise<CgroupManager> {
  throw new Error('Cannot open cgroups: not written yet');
}
