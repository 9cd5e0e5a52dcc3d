import { codeOf, HullError } from '../../base/errors.ts';
import type { Context } from '../context.ts';
import { groupOf } from '../groups.ts';
import { parseOptions } from '../options.ts';
import { signalNumber } from '../signals.ts';
import { readState } from '../state-store.ts';
import { isAlive, statusOf } from '../status.ts';

export async function killCommand(context: Context, args: readonly string[]): Promise<number> {
  const { values, rest } = parseOptions(args, {
    all: { takes: 'nothing', short: 'a' },
    regex: { takes: 'nothing', short: 'r' },
  });
  const [id, word = 'SIGTERM', ...more] = rest;
  if (id === undefined || more.length > 0)
    throw new HullError('Cannot read the command line: wanted "kill <id> [signal]"', { kind: 'invalid' });
  const signal = signalNumber(word);
  const state = readState(context.root, id);
  const group = await groupOf(state);
  if (values.all || !state.config.linux.namespaces.some(({ type }) => type === 'pid')) {
    const pids = (await group?.pids()) ?? [];
    if (pids.length === 0 && !values.all) throw notRunning(id);
    for (const pid of pids) send(pid, signal);
  } else {
    if (!isAlive(state)) throw notRunning(id);
    send(state.init_process_pid, signal);
  }
  // A killed process of a frozen v1 group would not end.
  if (signal === 9 && (await statusOf(context.root, state)) === 'paused') await group?.thaw();
  return 0;
}

function notRunning(id: string): HullError {
  return new HullError(`Cannot kill container ${id}: container not running`, { kind: 'conflict' });
}

function send(pid: number, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}
