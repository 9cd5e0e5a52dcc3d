/** The one gate: format and lint, types, layers, unit tests. Quick; needs neither root nor guests. */
import { performance } from 'node:perf_hooks';
import { $, chalk } from 'zx';
import { checkLayers } from './layers.ts';
import { checkLockFile } from './lock-file.ts';

const gate = $({ verbose: false, nothrow: true });

const steps: Record<string, () => Promise<string | undefined>> = {
  'format and lint': () => command(['biome', 'check', '--error-on-warnings', '.']),
  types: () => command(['tsc', '-p', '.']),
  layers: async () => checkLayers('.').join('\n') || undefined,
  'lock file': async () => checkLockFile().join('\n') || undefined,
  'unit tests': () => command(['vitest', 'run', '--project', 'unit', '--reporter', 'dot']),
};

let failed = 0;
for (const [name, step] of Object.entries(steps)) {
  const start = performance.now();
  const trouble = await step();
  const time = `${((performance.now() - start) / 1000).toFixed(1)} s`;
  if (trouble === undefined) {
    console.log(`${chalk.green('ok')}    ${name} (${time})`);
    continue;
  }
  failed += 1;
  console.log(`${chalk.red('wrong')} ${name} (${time})\n${trouble}`);
}
process.exitCode = failed === 0 ? 0 : 1;

/** The command's output where it failed, or undefined. */
async function command(words: string[]): Promise<string | undefined> {
  const result = await gate`${words}`;
  return result.exitCode === 0 ? undefined : `${result.stdout}${result.stderr}`;
}
