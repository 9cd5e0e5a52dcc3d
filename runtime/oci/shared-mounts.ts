import type { Spec } from '../base/oci.ts';
import { escapeMountPath, readMountInfo } from '../kernel/mountinfo.ts';
import type { ContainerState } from './state-store.ts';

/**
 * Without a mount namespace of its own a container's root is mounted on the host, at its place: it does not go with the container's last process.
 * (In a joined one it goes with that.)
 */
export function sharesMounts({ linux }: Spec): boolean {
  return !linux.namespaces.some(({ type }) => type === 'mount');
}

/** How many mounts are stacked at the folder, before a container adds its own. */
export function countMounts(folder: string): number {
  return readMountInfo('self', escapeMountPath(folder)).filter(({ mountPoint }) => mountPoint === folder)
    .length;
}

/** Afterwards the host has none of the container's mounts. */
export async function removeOwnMounts(state: ContainerState): Promise<void> {
  const { mounts_at_root: before, rootfs } = state;
  if (before === undefined) return;
  const { detachMount } = await import('../sys/unmount.ts');
  for (let count = countMounts(rootfs); count > before; count -= 1) detachMount(rootfs);
}
