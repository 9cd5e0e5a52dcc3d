import { HullError } from '../base/errors.ts';
import type { ExecRequest, LaunchedExec } from './types.ts';

/** Runs a command inside a running container. LaunchError as with `launch`; HullError `conflict` where the target is gone. */
export async function launchExec(request: ExecRequest): Promise<LaunchedExec> {
  throw new HullError(`Cannot enter process ${request.target.pid}: launching is being built`, {
    kind: 'unsupported',
  });
}
