import { HullError } from '../../base/errors.ts';
import type { VolumeWish } from '../../volumes/volume.ts';
import { checkVolumeName } from '../../volumes/volume-name.ts';
import type { MountRequest } from './mount-fields.ts';
import type { BindPoint, TmpfsPoint, VolumePoint } from './mount-point.ts';
import { cleanPath, cleanTarget, invalidMount, propagationWords } from './mount-words.ts';
import { tmpfsWords } from './tmpfs-options.ts';

/** A mount as it is asked for. */
export type WantedMount = Omit<BindPoint, 'mode'> | Omit<TmpfsPoint, 'mode'> | WantedVolume;

export interface WantedVolume
  extends Omit<VolumePoint, 'mode' | 'name' | 'source' | 'anonymous'>,
    Omit<VolumeWish, 'name'> {
  /** Undefined where the client gave none. */
  readonly name: string | undefined;
}

/** One of HostConfig.Mounts. Kind `invalid`, with Docker's words for what does not fit together. */
export function parseMount(mount: MountRequest): WantedMount {
  try {
    const destination = cleanTarget(mount.Target);
    switch (mount.Type) {
      case 'bind':
        return { ...parseBindOptions(mount), destination };
      case 'volume':
        return { ...parseVolumeOptions(mount), destination };
      case 'tmpfs':
        return { ...parseTmpfs(mount), destination };
      default:
        return mount.Type satisfies never;
    }
  } catch (error) {
    if (!(error instanceof HullError)) throw error;
    const reason = error.message.replace(/^Cannot create a container: /, '');
    throw invalidMount(`invalid mount config for type "${mount.Type}": ${reason}`);
  }
}

type Parsed<T extends WantedMount['type']> = Omit<Extract<WantedMount, { type: T }>, 'destination'>;

function parseBindOptions(mount: MountRequest): Parsed<'bind'> {
  const { Source, ReadOnly, BindOptions: options } = mount;
  refuse(mount, ['VolumeOptions', 'TmpfsOptions']);
  if (Source === '') throw invalidMount('field Source must not be empty');
  if (!Source.startsWith('/')) {
    throw invalidMount(`invalid mount path: '${Source}' mount path must be absolute`);
  }
  const propagation = options?.Propagation || 'rprivate';
  if (!propagationWords.includes(propagation)) throw invalidMount(`invalid propagation mode: ${propagation}`);
  const never = options?.ReadOnlyNonRecursive ?? false;
  const always = options?.ReadOnlyForceRecursive ?? false;
  if (never && always) {
    throw invalidMount('mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive');
  }
  if ((never || always) && !ReadOnly) {
    const field = never ? 'ReadOnlyNonRecursive' : 'ReadOnlyForceRecursive';
    throw invalidMount(`mount options conflict: ${field} needs ReadOnly`);
  }
  return {
    type: 'bind',
    source: cleanPath(Source),
    readOnly: ReadOnly,
    propagation,
    nonRecursive: options?.NonRecursive ?? false,
    readOnlyBelow: never ? 'never' : always ? 'always' : 'if-possible',
    makeSource: options?.CreateMountpoint ?? false,
  };
}

function parseVolumeOptions(mount: MountRequest): Parsed<'volume'> {
  const { Source, ReadOnly, VolumeOptions: options } = mount;
  refuse(mount, ['BindOptions', 'TmpfsOptions']);
  const subpath = options?.Subpath ?? '';
  if (Source === '' && subpath !== '')
    throw invalidMount('must not set Subpath when using anonymous volumes');
  if (Source === '' && ReadOnly)
    throw invalidMount('must not set ReadOnly mode when using anonymous volumes');
  if (subpath.startsWith('/') || subpath.split('/').includes('..')) {
    throw invalidMount('subpath must be a relative path within the volume');
  }
  return {
    type: 'volume',
    name: Source === '' ? undefined : checkVolumeName(Source),
    readOnly: ReadOnly,
    copy: !(options?.NoCopy ?? false) && subpath === '',
    subpath,
    driver: options?.DriverConfig?.Name ?? '',
    labels: options?.Labels ?? {},
    options: options?.DriverConfig?.Options ?? {},
  };
}

function parseTmpfs(mount: MountRequest): Parsed<'tmpfs'> {
  refuse(mount, ['BindOptions', 'VolumeOptions']);
  if (mount.Source !== '') throw invalidMount('field Source must not be specified');
  const { SizeBytes = 0, Mode = 0, Options = [] } = mount.TmpfsOptions ?? {};
  if (SizeBytes < 0) throw invalidMount(`TmpfsOptions.SizeBytes: found ${SizeBytes}, wanted 0 or more`);
  if (Mode < 0 || Mode > 0o7777) {
    throw invalidMount(`TmpfsOptions.Mode: found ${Mode}, wanted 0 to ${0o7777} (octal 7777)`);
  }
  const words = tmpfsWords([
    ...(SizeBytes > 0 ? [`size=${SizeBytes}`] : []),
    ...(Mode > 0 ? [`mode=${Mode.toString(8)}`] : []),
    ...Options.map((pair) => pair.join('=')),
  ]);
  return { type: 'tmpfs', readOnly: mount.ReadOnly, options: words };
}

function refuse(
  mount: MountRequest,
  fields: readonly ('BindOptions' | 'VolumeOptions' | 'TmpfsOptions')[],
): void {
  const found = fields.find((field) => mount[field] !== undefined);
  if (found) throw invalidMount(`field ${found} must not be specified`);
}
