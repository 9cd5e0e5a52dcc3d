import { HullError } from '../base/errors.ts';
import type { LaunchedProcess, LaunchRequest } from './types.ts';

/**
 * Starts a container: its monitor and its first process. Resolves when the command has been executed; LaunchError
 * names the step that failed, and then nothing is left.
 */
export async function launch(request: LaunchRequest): Promise<LaunchedProcess> {
  throw new HullError(`Cannot start ${request.id}: launching is being built`, { kind: 'unsupported' });
}
