import type { Context } from '../context.ts';
import { oneId } from '../one-id.ts';
import { parseOptions } from '../options.ts';
import { startContainer } from '../start-container.ts';
import { readState } from '../state-store.ts';

export async function startCommand(context: Context, args: readonly string[]): Promise<number> {
  const { rest } = parseOptions(args, {});
  await startContainer(context, readState(context.root, oneId(rest, 'start')));
  return 0;
}
