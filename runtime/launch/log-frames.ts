import { HullError } from '../base/errors.ts';
import type { LogFrame } from './types.ts';

export interface ReadLogOptions {
  /** Go on with what is appended until `signal` aborts (the iteration then ends without an error). Default false. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

/** The frames of a container's log from its beginning. An absent log is empty. */
// biome-ignore lint/correctness/useYield: the body follows
export async function* readLogFrames(path: string, _options: ReadLogOptions = {}): AsyncGenerator<LogFrame> {
  throw new HullError(`Cannot read ${path}: launching is being built`, { kind: 'unsupported' });
}
