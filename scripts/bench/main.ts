/** `npm run bench`: container engines and runtimes measured side by side on this machine. */
import { access, constants as modes, readFile, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { ensureSystemPackages } from '../../harness/provision/system-packages.ts';
import { makeRunRoot, reapDeadRuns, removeRunRoot } from '../run-root.ts';
import type { Errand } from './inside.ts';
import { runInWorld } from './open-world.ts';
import { type BenchOptions, parseBenchOptions, wordsForGuest } from './options.ts';
import { BenchResult } from './result.ts';
import { renderTable } from './table.ts';
import { nameOf } from './task.ts';
import { allTasks } from './tasks/all-tasks.ts';

const inside = fileURLToPath(new URL('inside.ts', import.meta.url));
const usageError = 2;

try {
  const options = parseBenchOptions(process.argv.slice(2), allTasks);
  if (options.list) list();
  else if (options.host === undefined) process.exitCode = await bench(options);
  else process.exitCode = await benchThere(options.host, options);
} catch (error) {
  if (error instanceof CommanderError) {
    if (error.exitCode !== 0) console.error(error.message);
    process.exitCode = error.exitCode === 0 ? 0 : usageError;
  } else {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

function list(): void {
  for (const { name, about, contenders } of allTasks) {
    console.log(`${name}: ${about}\n  ${contenders.map(nameOf).join(', ')}`);
  }
}

/** The same, in a guest; its table is printed there. */
async function benchThere(host: string, options: BenchOptions): Promise<number> {
  if (options.json !== undefined) await wantWritable(dirname(resolve(options.json)));
  const { benchInGuest } = await import('./in-guest.ts');
  return await benchInGuest(host, wordsForGuest(options), options);
}

/** The exit status: 0 measured, 1 a subject broke while it was measured, 128 + n ended by a signal. */
async function bench(options: BenchOptions): Promise<number> {
  if (process.getuid?.() !== 0)
    throw new Error('Cannot measure containers: not root; run: sudo npm run bench');
  // Before the minutes, not after them.
  if (options.json !== undefined) await wantWritable(dirname(resolve(options.json)));
  const say = (message: string) => process.stderr.write(`${message}\n`);
  await ensureSystemPackages('bench', say);
  for (const label of await reapDeadRuns('bench')) say(`removed what ${label} had left`);
  const stop = new AbortController();
  let endedBy: NodeJS.Signals | undefined;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      endedBy ??= name;
      stop.abort();
    });
  }
  const root = await makeRunRoot('bench');
  try {
    const resultFile = join(root.folder, 'result.json');
    const errand: Errand = { root, options, resultFile };
    const { code, signal } = await runInWorld(root, inside, [JSON.stringify(errand)], stop.signal);
    if (endedBy !== undefined) return 128 + constants.signals[endedBy];
    if (code !== 0) throw new Error(`Cannot measure: the world has ended with ${code ?? signal}`);
    const result = BenchResult.parse(JSON.parse(await readFile(resultFile, 'utf8')));
    console.log(renderTable(result, allTasks));
    if (options.json !== undefined) {
      await writeFile(options.json, `${JSON.stringify(result, undefined, 2)}\n`);
    }
    return result.absent.some(({ failed }) => failed) ? 1 : 0;
  } finally {
    await removeRunRoot(root);
  }
}

async function wantWritable(folder: string): Promise<void> {
  await access(folder, modes.W_OK).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`Cannot write the results to ${folder}: ${cause.code}`, { cause });
  });
}
