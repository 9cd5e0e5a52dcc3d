import { mkdir, realpath } from 'node:fs/promises';
import { HullError } from '../../base/errors.ts';
import { errorText } from '../../base/log.ts';
import type { SpecMount } from '../../base/oci.ts';
import { resolveInTree } from '../../images/tar-writing/resolve.ts';
import type { Container } from '../container.ts';
import type { Engine } from '../engine.ts';
import { checkPropagation } from './check-propagation.ts';
import { isThere, missingSource } from './check-sources.ts';
import type { BindPoint, VolumePoint } from './mount-point.ts';
import { specMountOf } from './spec-mount.ts';

/**
 * What has to be there before a container's own mounts can be made: volumes with options are mounted on the host, missing sources made where that
 * was asked for, all others checked, as what they are mounted with. Give the volumes back with `releaseVolumes`.
 */
export async function prepareMounts(engine: Engine, { record }: Container): Promise<readonly SpecMount[]> {
  const readsOnlyBelow = record.mounts.some(({ readOnly }) => readOnly) && (await canSetReadOnlyBelow());
  for (const point of record.mounts) {
    if (point.type === 'bind') await prepareBind(point, readsOnlyBelow);
    if (point.type === 'volume') await prepareVolume(engine, point);
  }
  return record.mounts.map((point) => specMountOf(point, { readsOnlyBelow }));
}

async function prepareBind(point: BindPoint, readsOnlyBelow: boolean): Promise<void> {
  const { source, destination, makeSource, propagation, readOnlyBelow } = point;
  if (readOnlyBelow === 'always' && !readsOnlyBelow) {
    throw new HullError(
      `Cannot mount ${source} at ${destination}: recursively read-only mounts are not supported by this kernel, wanted 5.12 or newer`,
      { kind: 'unsupported' },
    );
  }
  if (!(await isThere(source))) {
    if (!makeSource) throw missingSource(source);
    await makeFolder(source);
  }
  checkPropagation(await realpath(source), propagation);
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw new HullError(`error while creating mount source path '${path}': ${errorText(error)}`, {
      kind: 'invalid',
      cause: error,
    });
  }
}

async function prepareVolume(engine: Engine, { name, subpath }: VolumePoint): Promise<void> {
  const { mountPoint } = await engine.volumes.mount(name);
  if (subpath === '') return;
  // Only for the words: another container may change it until the start opens it, inside the volume in any case.
  using found = resolveInTree(mountPoint, Buffer.from(subpath).toString('latin1'), true);
  if (found) return;
  throw new HullError(
    `Cannot mount volume ${name}: cannot access path ${subpath} in it: no such file or directory`,
    { kind: 'invalid' },
  );
}

/** Few containers have read-only mounts; the others need not load what tells. */
async function canSetReadOnlyBelow(): Promise<boolean> {
  const { hasMountSetattr } = await import('../../sys/mount-setattr.ts');
  return hasMountSetattr();
}
