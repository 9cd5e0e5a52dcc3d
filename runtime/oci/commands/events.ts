import { setTimeout as sleep } from 'node:timers/promises';
import { HullError } from '../../base/errors.ts';
import type { Context } from '../context.ts';
import { eventStats } from '../event-stats.ts';
import { needGroup } from '../groups.ts';
import { oneId } from '../one-id.ts';
import { parseOptions } from '../options.ts';
import { readState } from '../state-store.ts';
import { isAlive } from '../status.ts';

/**
 * Lines of JSON: `{type: 'stats', id, data}` every interval, and `{type: 'oom', id}` when the kernel's OOM killer struck, until the container has
 * ended.
 */
export async function eventsCommand(context: Context, args: readonly string[]): Promise<number> {
  const { values, rest } = parseOptions(args, {
    interval: { takes: 'text' },
    stats: { takes: 'nothing' },
  });
  const state = readState(context.root, oneId(rest, 'events'));
  const group = await needGroup(state, 'watch');
  const print = (event: object) => context.caller.write(1, `${JSON.stringify(event, bigintText)}\n`);
  if (!isAlive(state))
    throw new HullError(`Cannot watch container ${state.id}: container with id ${state.id} is not running`, {
      kind: 'conflict',
    });
  const stats = async () =>
    print({ type: 'stats', id: state.id, data: eventStats(await group.stats(), state.intel_rdt) });
  if (values.stats) {
    await stats();
    return 0;
  }
  const interval = milliseconds(values.interval ?? '5s');
  const ended = new AbortController();
  const watching = (async () => {
    let before = 0;
    for await (const { oomKill = 0 } of group.memoryEvents(ended.signal)) {
      if (oomKill > before) print({ type: 'oom', id: state.id });
      before = oomKill;
    }
  })().catch(() => {});
  while (isAlive(state)) {
    await stats();
    for (let waited = 0; waited < interval && isAlive(state); waited += 100)
      await sleep(Math.min(100, interval));
  }
  ended.abort();
  await watching;
  return 0;
}

function bigintText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}

/** Go's durations, as far as one wants them here: `500ms`, `5s`, `1m`. */
function milliseconds(word: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(word) ?? [];
  const factor = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit];
  if (number === undefined || factor === undefined || Number(number) === 0)
    throw new HullError(`Cannot use --interval ${JSON.stringify(word)}: wanted a duration as 5s`, {
      kind: 'invalid',
    });
  return Number(number) * factor;
}
