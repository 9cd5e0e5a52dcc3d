import { basename } from 'node:path';
import type { Context } from '../context.ts';
import { oneId } from '../one-id.ts';
import { parseOptions } from '../options.ts';
import { readState } from '../state-store.ts';
import { stateView, statusOf } from '../status.ts';

export async function stateCommand(context: Context, args: readonly string[]): Promise<number> {
  const { rest } = parseOptions(args, {});
  const state = readState(context.root, oneId(rest, 'state'));
  const { systemd, cgroup_path: path } = state;
  const view = {
    ...stateView(state, await statusOf(context.root, state)),
    // As crun has it.
    ...(systemd && path !== undefined ? { 'systemd-scope': basename(path) } : {}),
  };
  context.caller.write(1, `${JSON.stringify(view, undefined, 2)}\n`);
  return 0;
}
