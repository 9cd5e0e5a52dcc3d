import { execFileSync } from 'node:child_process';
import { HullError } from '../../base/errors.ts';
import type { Context } from '../context.ts';
import { needGroup } from '../groups.ts';
import { parseOptions } from '../options.ts';
import { readState } from '../state-store.ts';

/** The lines of ps(1) that are the container's, or its process ids as JSON. */
export async function psCommand(context: Context, args: readonly string[]): Promise<number> {
  const { values, rest } = parseOptions(
    args,
    { format: { takes: 'text', short: 'f' } },
    { stopAtWord: true },
  );
  const [id, ...psArgs] = rest;
  if (id === undefined)
    throw new HullError('Cannot read the command line: wanted "ps <id>"', { kind: 'invalid' });
  const group = await needGroup(readState(context.root, id), 'list the processes of');
  const pids = await group.pids();
  if (values.format === 'json') {
    context.caller.write(1, `${JSON.stringify(pids)}\n`);
    return 0;
  }
  const text = execFileSync('ps', psArgs.length === 0 ? ['-ef'] : psArgs, { encoding: 'utf8' });
  const [header = '', ...lines] = text.split('\n');
  const column = header.trim().split(/\s+/).indexOf('PID');
  if (column < 0)
    throw new HullError("Cannot list processes: found no column PID in ps's output", { kind: 'invalid' });
  const ours = lines.filter((line) => pids.includes(Number(line.trim().split(/\s+/)[column])));
  context.caller.write(1, `${[header, ...ours].join('\n')}\n`);
  return 0;
}
