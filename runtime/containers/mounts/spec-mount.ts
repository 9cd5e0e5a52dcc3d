import type { SpecMount } from '../../base/oci.ts';
import type { MountPoint } from './mount-point.ts';

export interface SpecMountOptions {
  /** Whether the kernel can make all that is mounted below a mount read-only at once (5.12). */
  readonly readsOnlyBelow: boolean;
}

/** The mount as the runtime specification has it. */
export function specMountOf(point: MountPoint, { readsOnlyBelow }: SpecMountOptions): SpecMount {
  const { destination } = point;
  if (point.type === 'tmpfs') {
    const options = point.readOnly ? [...point.options, 'ro'] : point.options;
    return { destination, type: 'tmpfs', source: 'tmpfs', options };
  }
  const isBind = point.type === 'bind';
  const below = readsOnlyBelow && !(isBind && (point.readOnlyBelow === 'never' || point.nonRecursive));
  const options = [
    isBind && point.nonRecursive ? 'bind' : 'rbind',
    isBind ? point.propagation : 'rprivate',
    ...(point.readOnly ? [below ? 'rro' : 'ro'] : []),
  ];
  return {
    destination,
    type: 'bind',
    source: point.source,
    options,
    ...(isBind || point.subpath === '' ? {} : { subpath: point.subpath }),
  };
}

/** All of them without a look at the host: to check a request, or to show a start. */
export function plainMounts(points: readonly MountPoint[]): readonly SpecMount[] {
  return points.map((point) => specMountOf(point, { readsOnlyBelow: true }));
}
