import { stat } from 'node:fs/promises';
import { codeOf, HullError } from '../../base/errors.ts';
import type { MountPoint } from './mount-point.ts';

/** As Docker: what a Mount names has to be there when the container is created; a folder that a bind names is made at the start. */
export async function checkSources(mounts: readonly MountPoint[]): Promise<void> {
  for (const point of mounts) {
    if (point.type !== 'bind' || point.makeSource) continue;
    if (!(await isThere(point.source))) throw missingSource(point.source);
  }
}

/** A path through a file is as absent as one through nothing. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}

export function missingSource(source: string): HullError {
  return new HullError(`invalid mount config for type "bind": bind source path does not exist: ${source}`, {
    kind: 'invalid',
  });
}
