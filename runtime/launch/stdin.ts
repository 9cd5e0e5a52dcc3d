import type { Writable } from 'node:stream';
import { HullError } from '../base/errors.ts';

/** Opens the stdin of a running container that was launched with `openStdin`. Ending the stream does not close stdin for the container. */
export function openStdin(runDir: string): Writable {
  throw new HullError(`Cannot write to ${runDir}: launching is being built`, { kind: 'unsupported' });
}

/** Tells the monitor to let go of stdin: the container sees end of file once the writers have closed. */
export async function closeStdin(runDir: string): Promise<void> {
  throw new HullError(`Cannot write to ${runDir}: launching is being built`, { kind: 'unsupported' });
}
