import { existsSync, readFileSync } from 'node:fs';
import { codeOf } from '../base/errors.ts';
import { parseStartTicks } from '../launch/records.ts';
import { groupOf } from './groups.ts';
import { type ContainerState, stateFiles } from './state-store.ts';

export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

/** What the container is now, from its first process, its start FIFO and its freezer. */
export async function statusOf(root: string, state: ContainerState): Promise<Status> {
  if (state.init_process_pid === 0) return 'stopped';
  if (!isAlive(state)) return 'stopped';
  if (existsSync(stateFiles(root, state.id).startFifo)) return 'created';
  const group = await groupOf(state);
  return (await group?.frozen()) ? 'paused' : 'running';
}

/** Whether the first process runs: not another one with its number, and not one that is only still to be reaped. */
export function isAlive(state: Pick<ContainerState, 'init_process_pid' | 'init_process_start'>): boolean {
  try {
    const stat = readFileSync(`/proc/${state.init_process_pid}/stat`, 'latin1');
    const letter = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    return Number(parseStartTicks(stat)) === state.init_process_start && letter !== 'Z' && letter !== 'X';
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return false;
    throw error;
  }
}

/** The state that hooks and `state` are given (runtime.md, "State"). */
export function stateView(state: ContainerState, status: Status) {
  return {
    ociVersion: '1.2.0',
    id: state.id,
    pid: status === 'stopped' ? 0 : state.init_process_pid,
    status,
    bundle: state.bundle,
    rootfs: state.rootfs,
    created: state.created,
    owner: state.owner,
    ...(state.config.annotations ? { annotations: state.config.annotations } : {}),
  };
}
