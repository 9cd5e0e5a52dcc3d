import type { Context } from '../context.ts';
import { parseOptions } from '../options.ts';
import { listIds, readState } from '../state-store.ts';
import { stateView, statusOf } from '../status.ts';
import { tableText } from '../table-text.ts';

export async function listCommand(context: Context, args: readonly string[]): Promise<number> {
  const { values } = parseOptions(args, {
    format: { takes: 'text', short: 'f' },
    quiet: { takes: 'nothing', short: 'q' },
  });
  const views = [];
  for (const id of listIds(context.root)) {
    // One that is being made, or removed, at this moment has none.
    const state = tryRead(context.root, id);
    if (state) views.push(stateView(state, await statusOf(context.root, state)));
  }
  if (values.quiet) context.caller.write(1, views.map(({ id }) => `${id}\n`).join(''));
  else if (values.format === 'json')
    context.caller.write(1, `${views.length === 0 ? 'null' : JSON.stringify(views)}\n`);
  else {
    const rows = views.map((each) => [
      each.id,
      String(each.pid),
      each.status,
      each.bundle,
      each.created,
      each.owner,
    ]);
    context.caller.write(1, tableText([['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'], ...rows]));
  }
  return 0;
}

function tryRead(root: string, id: string) {
  try {
    return readState(root, id);
  } catch {
    return undefined;
  }
}
