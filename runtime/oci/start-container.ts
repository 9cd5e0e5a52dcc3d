import { HullError } from '../base/errors.ts';
import { startDetached } from '../launch/launch-detached.ts';
import type { Context } from './context.ts';
import { deleteContainer } from './delete-container.ts';
import { needOwnProcessForHooks, runHooks } from './hooks.ts';
import { debug } from './messages.ts';
import { type ContainerState, stateFiles } from './state-store.ts';
import { stateView, statusOf } from './status.ts';

/**
 * Afterwards the command runs, or has ended: in any case where the end is what the caller waits for. A failing poststart hook ends the
 * container.
 */
export async function startContainer(
  context: Context,
  state: ContainerState,
  ended?: Promise<unknown>,
): Promise<void> {
  needOwnProcessForHooks(context.caller, state.config.hooks);
  const status = await statusOf(context.root, state);
  if (status !== 'created') {
    const reason =
      status === 'stopped'
        ? 'cannot start a container that has stopped'
        : 'cannot start an already running container';
    throw new HullError(`Cannot start container ${state.id}: ${reason}`, { kind: 'conflict' });
  }
  debug(context, `container ${state.id}: process ${state.init_process_pid} is told to go on`);
  const { hooks } = state.config;
  const untilEnd = hooks?.poststart === undefined ? ended : undefined;
  const notify = process.env.NOTIFY_SOCKET ? await import('./notify-socket.ts') : undefined;
  // In the foreground it is this process that stands for the container.
  const told = notify?.tellWhenReady(context, state, ended ? process.pid : state.init_process_pid);
  await startDetached({ id: state.id, ...stateFiles(context.root, state.id) }, state.start_steps, untilEnd);
  try {
    runHooks('poststart', hooks?.poststart, stateView(state, 'running'), state.bundle);
  } catch (error) {
    await deleteContainer(context, state, { force: true });
    throw error;
  }
  await told;
}
