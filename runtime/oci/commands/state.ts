import type { Context } from '../context.ts';
import { oneId } from '../one-id.ts';
import { parseOptions } from '../options.ts';
import { readState } from '../state-store.ts';
import { stateView, statusOf } from '../status.ts';

export async function stateCommand(context: Context, args: readonly string[]): Promise<number> {
  const { rest } = parseOptions(args, {});
  const state = readState(context.root, oneId(rest, 'state'));
  const view = stateView(state, await statusOf(context.root, state));
  context.caller.write(1, `${JSON.stringify(view, undefined, 2)}\n`);
  return 0;
}
