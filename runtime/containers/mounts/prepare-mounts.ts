import { closeSync, constants, openSync } from 'node:fs';
import { mkdir, realpath, stat } from 'node:fs/promises';
import { HullError, ifExists } from '../../base/errors.ts';
import type { SpecMount } from '../../base/oci.ts';
import { resolveInTree } from '../../images/tar-writing/resolve.ts';
import type { Container } from '../container.ts';
import type { Engine } from '../engine.ts';
import { checkPropagation } from './check-propagation.ts';
import type { BindPoint, MountPoint, VolumePoint } from './mount-point.ts';
import { specMountOf } from './spec-mount.ts';
import { isVolumeNeeded, volumesOf } from './volume-use.ts';

/** The mounts with their sources in place, as long as it is not disposed: the sources may be open files of the daemon. */
export interface PreparedMounts extends Disposable {
  readonly mounts: readonly SpecMount[];
}

/**
 * What has to be there before a container's own mounts can be made: volumes with options are mounted on the host, missing sources made where that
 * was asked for, all others checked, as what they are mounted with. Give the volumes back with `releaseVolumes`.
 */
export async function prepareMounts(engine: Engine, { record }: Container): Promise<PreparedMounts> {
  const open: number[] = [];
  const close = () => {
    for (const fd of open.splice(0)) closeSync(fd);
  };
  try {
    const readsOnlyBelow = record.mounts.some(({ readOnly }) => readOnly) && (await canSetReadOnlyBelow());
    const mounts: SpecMount[] = [];
    for (const point of record.mounts) {
      if (point.type === 'bind') await prepareBind(point, readsOnlyBelow);
      const source = point.type === 'volume' ? await prepareVolume(engine, point, open) : undefined;
      mounts.push(specMountOf(point, { readsOnlyBelow, ...(source === undefined ? {} : { source }) }));
    }
    return { mounts, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}

/** The same mounts without a look at the host: to check a request, or to show a start. */
export function plainMounts(points: readonly MountPoint[]): readonly SpecMount[] {
  return points.map((point) => specMountOf(point, { readsOnlyBelow: true }));
}

/** Unmounts the container's volumes with options from the host where no other container needs them. */
export async function releaseVolumes(engine: Engine, { id, record }: Container): Promise<void> {
  for (const { name } of volumesOf(record.mounts)) {
    await engine.volumes.unmount(name, () => isVolumeNeeded(engine, name, id));
  }
}

async function prepareBind(point: BindPoint, readsOnlyBelow: boolean): Promise<void> {
  const { source, destination, makeSource, propagation, readOnlyBelow } = point;
  if (readOnlyBelow === 'always' && !readsOnlyBelow) {
    throw new HullError(
      `Cannot mount ${source} at ${destination}: recursively read-only mounts are not supported by this kernel, wanted 5.12 or newer`,
      { kind: 'unsupported' },
    );
  }
  if (!(await ifExists(stat(source)))) {
    if (!makeSource) throw missingSource(source);
    await mkdir(source, { recursive: true });
  }
  checkPropagation(await realpath(source), propagation);
}

export function missingSource(source: string): HullError {
  return new HullError(`invalid mount config for type "bind": bind source path does not exist: ${source}`, {
    kind: 'invalid',
  });
}

/** The source, where it is another than the point's own. */
async function prepareVolume(
  engine: Engine,
  { name, subpath }: VolumePoint,
  open: number[],
): Promise<string | undefined> {
  const { mountPoint } = await engine.volumes.mount(name);
  if (subpath === '') return undefined;
  // Another container may exchange what is on the way for a link: so the folder itself is held, and named by its descriptor.
  using found = resolveInTree(mountPoint, Buffer.from(subpath).toString('latin1'), true);
  if (!found) {
    throw new HullError(
      `Cannot mount volume ${name}: cannot access path ${subpath} in it: no such file or directory`,
      { kind: 'invalid' },
    );
  }
  const fd = openSync(found.folder.at(found.name), oPath | constants.O_NOFOLLOW);
  open.push(fd);
  return `/proc/${process.pid}/fd/${fd}`;
}

/** Few containers have read-only mounts; the others need not load what tells. */
async function canSetReadOnlyBelow(): Promise<boolean> {
  const { hasMountSetattr } = await import('../../sys/mount-setattr.ts');
  return hasMountSetattr();
}

/** O_PATH of asm-generic/fcntl.h, which Node does not name; the same on x86-64 and arm64. */
const oPath = 0o10000000;
