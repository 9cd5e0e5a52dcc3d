import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import { changeText, compareResults, comparisonText, regressions } from './compare.ts';
import { ReportError } from './errors.ts';
import { resultsJsonSchema } from './json-schema.ts';
import { gatherEvidence, mergeResults } from './merge.ts';
import { readResults } from './parse.ts';
import { jobOf, type Results } from './schema.ts';
import { finalView } from './terminal/final-view.ts';
import { createStyle, wantsColor } from './terminal/style.ts';
import { oneLine } from './text.ts';
import { verdict } from './verdict.ts';
import { type ReportPaths, writeReports } from './write.ts';

/** Exit status: 0 green, 1 red or regressed, 2 the command could not do its work. */
const program = new Command('node reports/main.ts').description('Works on the results.json of runs');
interface MergeFlags {
  readonly output: string;
  readonly baseline?: string;
  readonly hosts?: readonly string[];
}

const baselineOption = new Option('-b, --baseline <results.json>', 'tell what changed since this run');

program
  .command('merge')
  .description("join the results of a plan's shards into one report")
  .argument('<results.json...>', 'one per shard; evidence is looked for beside each')
  .requiredOption('-o, --output <dir>', 'folder of the joined report')
  .option('--hosts <names>', 'hosts that must have results, separated by commas', (names) => names.split(','))
  .addOption(baselineOption)
  .action(async (files: string[], { output, baseline, hosts = [] }: MergeFlags) => {
    const shards = [];
    for (const from of files) shards.push({ from, results: await readResults(from) });
    // First what can be refused, then what writes.
    mergeResults(shards);
    const merged = mergeResults(await gatherEvidence(shards, output));
    await render(merged, output, baseline);
    // A shard that was lost took its plan with it: without this the rest would look like the whole.
    const lost = hosts.filter((name) => !merged.results.some(({ host }) => host === name));
    if (lost.length > 0)
      throw new ReportError(`Cannot vouch for the whole run: no shard has results of ${lost.join(', ')}`);
  });

program
  .command('render')
  .description('write junit.xml, summary.md and index.html again from a results.json')
  .argument('<results.json>')
  .option('-o, --output <dir>', 'folder of the report; beside the file unless told')
  .addOption(baselineOption)
  .action(async (file: string, { output, baseline }: { output?: string; baseline?: string }) => {
    const results = await readResults(file);
    const dir = output ?? dirname(file);
    const [shard] =
      dir === dirname(file) ? [{ results }] : await gatherEvidence([{ from: file, results }], dir);
    await render(shard?.results ?? results, dir, baseline);
  });

program
  .command('compare')
  .description('tell what changed between two runs; the exit status is 1 if something regressed')
  .argument('<baseline.json>')
  .argument('<results.json>')
  .action(async (before: string, after: string) => {
    const comparison = compareResults(await readResults(after), await readResults(before));
    for (const change of comparison.changes) {
      console.log(
        `${change.kind.padEnd(13)}  ${changeText(change).padEnd(16)}  ${oneLine(jobOf(change.job))}`,
      );
    }
    if (comparison.absentHosts.length > 0)
      console.log(`not in this run: ${oneLine(comparison.absentHosts.join(', '))}`);
    console.log(comparisonText(comparison));
    process.exitCode = regressions(comparison).length > 0 ? 1 : 0;
  });

program
  .command('schema')
  .description('write reports/results.schema.json again')
  .action(async () => writeFile(join(import.meta.dirname, 'results.schema.json'), resultsJsonSchema()));

async function render(results: Results, dir: string, baselineFile: string | undefined): Promise<void> {
  const baseline = baselineFile === undefined ? undefined : await readResults(baselineFile);
  const paths: ReportPaths = await writeReports(results, dir, baseline && { baseline });
  const style = createStyle(wantsColor(process.env, process.stdout.isTTY === true));
  const comparison = baseline && compareResults(results, baseline);
  const input = { results, paths, ...(comparison && { comparison }) };
  console.log(finalView(input, process.stdout.columns ?? 80, style).join('\n'));
  process.exitCode = verdict(results).ok ? 0 : 1;
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof ReportError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
