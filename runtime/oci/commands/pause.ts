import { HullError } from '../../base/errors.ts';
import type { Context } from '../context.ts';
import { needGroup } from '../groups.ts';
import { oneId } from '../one-id.ts';
import { parseOptions } from '../options.ts';
import { readState } from '../state-store.ts';
import { statusOf } from '../status.ts';

export async function pauseCommand(context: Context, args: readonly string[]): Promise<number> {
  const state = readState(context.root, oneId(parseOptions(args, {}).rest, 'pause'));
  const status = await statusOf(context.root, state);
  if (status !== 'running' && status !== 'created')
    throw new HullError(`Cannot pause container ${state.id}: container not running or created: ${status}`, {
      kind: 'conflict',
    });
  await (await needGroup(state, 'pause')).freeze();
  return 0;
}

export async function resumeCommand(context: Context, args: readonly string[]): Promise<number> {
  const state = readState(context.root, oneId(parseOptions(args, {}).rest, 'resume'));
  const status = await statusOf(context.root, state);
  if (status !== 'paused')
    throw new HullError(`Cannot resume container ${state.id}: container not paused`, { kind: 'conflict' });
  await (await needGroup(state, 'resume')).thaw();
  return 0;
}
