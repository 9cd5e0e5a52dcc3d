import { Command } from 'commander';
import { jobName } from '../matrix/cell.ts';
import { planProject } from './project.ts';
import { selectionOf, withSelection } from './selection-options.ts';

/** `seatrial list`: the plan, without booting anything. */
export function listCommand(): Command {
  return withSelection(
    new Command('list').description('Prints the jobs a run would do, one per line.'),
  ).action(async (patterns: string[], flags: Parameters<typeof selectionOf>[1]) => {
    const { jobs } = await planProject(selectionOf(patterns, flags), flags.shard);
    process.stdout.write(jobs.map((job) => `${jobName(job)}\n`).join(''));
  });
}
