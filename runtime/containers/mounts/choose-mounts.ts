import { anonymousLabel, type VolumeWish } from '../../volumes/volume.ts';
import { newVolumeName } from '../../volumes/volume-name.ts';
import type { ContainerConfig } from '../record.ts';
import type { MountPoint } from './mount-point.ts';
import { cleanTarget, invalidMount, parseMode } from './mount-words.ts';
import { parseBind } from './parse-bind.ts';
import { parseMount, type WantedMount, type WantedVolume } from './parse-mount.ts';
import { parseTmpfs } from './tmpfs-options.ts';

export interface ChosenMounts {
  readonly points: readonly MountPoint[];
  /** The volumes that have to be there. */
  readonly volumes: readonly (VolumeWish & { readonly name: string })[];
}

export interface MountSources {
  /** The mounts of another container, for VolumesFrom. Kind `not-found`. */
  readonly mountsOf: (nameOrId: string) => readonly MountPoint[];
  /** Where the files of a volume of this name are. */
  readonly dataOf: (volume: string) => string;
}

/**
 * All mounts that a container was asked for, in Docker's order: those of other containers, then Binds, which go before them at
 * the same place, then Mounts; and an anonymous volume for each path of `Volumes` where nothing else is mounted.
 * Kind `invalid` names the field.
 */
export function chooseMounts(config: ContainerConfig, { mountsOf, dataOf }: MountSources): ChosenMounts {
  const { VolumesFrom, Binds, Mounts, Tmpfs, VolumeDriver } = config.HostConfig;
  const points = new Map<string, MountPoint>();
  const volumes = new Map<string, VolumeWish & { readonly name: string }>();
  const add = (wanted: WantedMount, mode: string): void => {
    const name = wanted.type === 'volume' ? (wanted.name ?? newVolumeName()) : '';
    points.set(wanted.destination, pointOf(wanted, { mode, name, dataOf }));
    // The first mount that names a volume says what it is made with.
    if (wanted.type === 'volume' && !volumes.has(name)) volumes.set(name, wishOf(wanted, name));
  };

  for (const from of VolumesFrom) {
    for (const point of inherited(from, mountsOf)) points.set(point.destination, point);
  }
  const taken = new Set(parseTmpfs(Tmpfs).map(({ destination }) => destination));
  const take = (destination: string): void => {
    if (taken.has(destination)) throw invalidMount(`Duplicate mount point: ${destination}`);
    taken.add(destination);
  };
  for (const bind of Binds) {
    const { mode, ...wanted } = parseBind(bind, VolumeDriver);
    take(wanted.destination);
    add(wanted, mode);
  }
  for (const request of Mounts) {
    const wanted = parseMount(request);
    take(wanted.destination);
    add(wanted, wanted.type === 'volume' && wanted.name !== undefined ? 'z' : '');
  }
  for (const target of config.Volumes) {
    const destination = cleanTarget(target);
    if (points.has(destination) || taken.has(destination)) continue;
    add({ ...anonymous, destination, driver: VolumeDriver }, '');
  }
  return { points: [...points.values()], volumes: [...volumes.values()] };
}

const anonymous = {
  type: 'volume',
  name: undefined,
  readOnly: false,
  copy: true,
  subpath: '',
  labels: {},
  options: {},
} as const;

function pointOf(
  wanted: WantedMount,
  { mode, name, dataOf }: { mode: string; name: string; dataOf: MountSources['dataOf'] },
): MountPoint {
  if (wanted.type !== 'volume') return { ...wanted, mode };
  const { type, destination, readOnly, copy, subpath } = wanted;
  const source = dataOf(name);
  return {
    type,
    destination,
    readOnly,
    mode,
    name,
    source,
    anonymous: wanted.name === undefined,
    copy,
    subpath,
  };
}

function wishOf(
  { name, driver, labels, options }: WantedVolume,
  chosen: string,
): VolumeWish & { readonly name: string } {
  const marks = name === undefined ? { ...labels, [anonymousLabel]: '' } : labels;
  return { name: chosen, driver, labels: marks, options };
}

/** `container[:ro|rw|z]`: its mounts with what they were mounted with, except that `ro` makes all of them read-only. */
function inherited(from: string, mountsOf: MountSources['mountsOf']): readonly MountPoint[] {
  const [name = '', mode = '', ...rest] = from.split(':');
  if (name === '')
    throw invalidMount('HostConfig.VolumesFrom: volumes-from specification cannot be an empty string');
  const words = rest.length === 0 ? parseMode(mode) : undefined;
  // They keep the propagation that they have, and are full or not by now.
  if (!words || words.noCopy || words.propagation !== undefined) {
    throw invalidMount(
      `HostConfig.VolumesFrom: invalid mode: ${[mode, ...rest].join(':')} (in '${from}'), wanted ro, rw, z or Z`,
    );
  }
  return mountsOf(name).map((point) => ({
    ...point,
    readOnly: point.readOnly || words.readOnly,
    mode: '',
    ...(point.type === 'volume' ? { copy: false } : {}),
  }));
}
