/**
 * A mount of a container, resolved when it was created and kept in its record: HostConfig's Binds, Mounts and VolumesFrom, and the volumes
 * of its image. Those of HostConfig.Tmpfs are not among them, as in Docker.
 */
export type MountPoint = BindPoint | VolumePoint | TmpfsPoint;

interface Place {
  /** In the container: absolute, without dots. */
  readonly destination: string;
  readonly readOnly: boolean;
  /** The words it was asked for with (`ro,z`), for `docker inspect`. */
  readonly mode: string;
}

export interface BindPoint extends Place {
  readonly type: 'bind';
  /** In the host. */
  readonly source: string;
  /** One of mount(8)'s words: `rprivate`, `rslave` … */
  readonly propagation: string;
  /** What is mounted below the source stays out. */
  readonly nonRecursive: boolean;
  /** Whether what is mounted below it is read-only as well: as far as the kernel can (5.12), always, or never. */
  readonly readOnlyBelow: 'if-possible' | 'always' | 'never';
  /** A missing source is made, as a folder. */
  readonly makeSource: boolean;
}

export interface VolumePoint extends Place {
  readonly type: 'volume';
  readonly name: string;
  /** Where the volume's files are in the host. */
  readonly source: string;
  /** Nobody named it: it may go with its last container. */
  readonly anonymous: boolean;
  /** An empty volume gets what the image has there. */
  readonly copy: boolean;
  /** The part of the volume that is mounted; '' for all. */
  readonly subpath: string;
}

export interface TmpfsPoint extends Place {
  readonly type: 'tmpfs';
  /** fstab words. */
  readonly options: readonly string[];
}
