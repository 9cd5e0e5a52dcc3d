import { type Command, InvalidArgumentError } from 'commander';
import type { Selection } from '../matrix/plan.ts';
import type { Shard } from '../matrix/shard.ts';

interface SelectionFlags {
  readonly hosts?: readonly string[];
  readonly engines?: readonly string[];
  readonly drivers?: readonly string[];
  readonly text?: string;
  readonly shard?: Shard;
}

/** The options that select jobs, the same for every command that plans. */
export function withSelection(command: Command): Command {
  return command
    .argument('[jobs...]', 'host/engine/driver:area/scenario, or a beginning of it; * stands for any name')
    .option('--hosts <names>', 'only these hosts, separated by commas', names)
    .option('--engines <names>', 'only these engines; docker is there on demand, as a reference', names)
    .option('--drivers <names>', 'only these storage drivers', names)
    .option('-t, --text <text>', 'only scenarios with this in area/scenario; /…/ is a regular expression')
    .option('--shard <i/n>', 'only the i-th of n parts of the plan, cut between cells', shard);
}

export function selectionOf(patterns: readonly string[], flags: SelectionFlags): Selection {
  const { hosts, engines, drivers, text } = flags;
  return {
    ...(hosts === undefined ? {} : { hosts }),
    ...(engines === undefined ? {} : { engines }),
    ...(drivers === undefined ? {} : { drivers }),
    ...(text === undefined ? {} : { text }),
    ...(patterns.length === 0 ? {} : { patterns }),
  };
}

function names(value: string): readonly string[] {
  const list = value.split(',').map((name) => name.trim());
  if (list.some((name) => name === '')) throw new InvalidArgumentError('Wanted names separated by commas.');
  return list;
}

function shard(value: string): Shard {
  const [, index = 0, count = 0] = (/^(\d{1,4})\/(\d{1,4})$/.exec(value) ?? []).map(Number);
  if (index >= 1 && index <= count) return { index, count };
  throw new InvalidArgumentError('Wanted i/n with 1 ≤ i ≤ n, such as 1/2.');
}

/** For options that count: a whole number of at least `least` and at most `most`. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= least && number <= most) return number;
    const limit = most === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${most}`;
    throw new InvalidArgumentError(`Wanted a whole number of at least ${least}${limit}.`);
  };
}
