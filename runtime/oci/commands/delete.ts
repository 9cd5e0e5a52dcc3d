import { HullError } from '../../base/errors.ts';
import type { Context } from '../context.ts';
import { deleteContainer } from '../delete-container.ts';
import { oneId } from '../one-id.ts';
import { parseOptions } from '../options.ts';
import { listIds, readState, removeState, stateFiles } from '../state-store.ts';

export async function deleteCommand(context: Context, args: readonly string[]): Promise<number> {
  const { values, rest } = parseOptions(args, {
    force: { takes: 'nothing', short: 'f' },
    regex: { takes: 'nothing', short: 'r' },
  });
  const word = oneId(rest, 'delete');
  const ids = values.regex ? listIds(context.root).filter((id) => new RegExp(word).test(id)) : [word];
  for (const id of ids) await deleteOne(context, id, values.force);
  return 0;
}

async function deleteOne(context: Context, id: string, force: boolean): Promise<void> {
  try {
    await deleteContainer(context, readState(context.root, id), { force });
  } catch (error) {
    if (!force || !(error instanceof HullError) || !['not-found', 'invalid'].includes(error.kind))
      throw error;
    // What a crash in `create` left, before there was a state.
    removeState(stateFiles(context.root, id));
  }
}
