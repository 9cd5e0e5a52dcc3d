import { HullError } from '../base/errors.ts';
import type { Cgroup } from '../cgroups/cgroup.ts';
import { removeResctrl } from '../cgroups/resctrl.ts';
import type { Context } from './context.ts';
import { groupOf } from './groups.ts';
import { needOwnProcessForHooks, runHooks } from './hooks.ts';
import { debug, warn } from './messages.ts';
import { removeOwnMounts } from './shared-mounts.ts';
import { type ContainerState, removeState, stateFiles } from './state-store.ts';
import { isAlive, stateView, statusOf } from './status.ts';

/** How long a killed process may take to end. */
const patienceMs = 5_000;

/** Afterwards there is nothing of the container. One that runs is refused, unless it is forced; one that never started is ended. */
export async function deleteContainer(
  context: Context,
  state: ContainerState,
  options: { readonly force: boolean; readonly group?: Cgroup | undefined },
): Promise<void> {
  const { force } = options;
  needOwnProcessForHooks(context.caller, state.config.hooks);
  if (state.systemd) context.caller.needOwnProcess('systemd made the cgroup');
  const status = await statusOf(context.root, state);
  if (status !== 'stopped' && status !== 'created' && !force)
    throw new HullError(`cannot delete container ${state.id} that is not stopped: ${status}`, {
      kind: 'conflict',
    });
  const group = options.group ?? (await groupOf(state));
  if (status !== 'stopped' && isAlive(state)) process.kill(state.init_process_pid, 'SIGKILL');
  try {
    // Mostly all in it have ended with the first process, and who is to be killed need not be looked for.
    const empty = !group || ((status === 'stopped' || !isAlive(state)) && (await group.removeEmpty()));
    if (!empty) await group.kill(AbortSignal.timeout(patienceMs));
    await untilGone(context, state);
    if (!empty) await group.remove();
    await removeOwnMounts(state);
    if (state.intel_rdt) removeResctrl(state.intel_rdt);
  } catch (error) {
    // Killed, and held by something that is not ours (frozen in another group): it goes when that lets go of it.
    if (!force) throw error;
    const isBusy = error instanceof HullError && error.kind === 'busy';
    warn(context, isBusy ? `Device or resource busy: ${error.message}` : error);
  }
  removeState(stateFiles(context.root, state.id));
  debug(context, `container ${state.id}: deleted, it was ${status}`);
  for (const hook of state.config.hooks?.poststop ?? []) {
    try {
      runHooks('poststop', [hook], stateView(state, 'stopped'), state.bundle);
    } catch (error) {
      warn(context, error);
    }
  }
}

async function untilGone({ caller }: Context, state: ContainerState): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (let pause = 1; isAlive(state); pause = Math.min(pause * 2, 50)) {
    if (Date.now() > deadline)
      throw new HullError(
        `Cannot delete container ${state.id}: its first process ${state.init_process_pid} was killed and is still there: Device or resource busy`,
        { kind: 'busy' },
      );
    await new Promise((done) => setTimeout(done, pause));
  }
  // Ours, where `run` has made it.
  if (state.init_process_pid !== 0) caller.hands.reap(state.init_process_pid);
}
