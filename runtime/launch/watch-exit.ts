import { HullError } from '../base/errors.ts';
import type { ExitRecord } from './types.ts';

/**
 * Resolves when the container's monitor has left (and is reaped, where it is our child): the exit record, or `lost`
 * when there is none. Works for a monitor of an earlier daemon too; may be called any number of times.
 */
export async function watchExit(runDir: string, _signal?: AbortSignal): Promise<ExitRecord | 'lost'> {
  throw new HullError(`Cannot watch ${runDir}: launching is being built`, { kind: 'unsupported' });
}
