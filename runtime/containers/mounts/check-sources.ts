import { stat } from 'node:fs/promises';
import { HullError, ifExists } from '../../base/errors.ts';
import type { MountPoint } from './mount-point.ts';

/** As Docker: what a Mount names has to be there when the container is created; a folder that a bind names is made at the start. */
export async function checkSources(mounts: readonly MountPoint[]): Promise<void> {
  for (const point of mounts) {
    if (point.type !== 'bind' || point.makeSource) continue;
    if (!(await ifExists(stat(point.source)))) throw missingSource(point.source);
  }
}

export function missingSource(source: string): HullError {
  return new HullError(`invalid mount config for type "bind": bind source path does not exist: ${source}`, {
    kind: 'invalid',
  });
}
