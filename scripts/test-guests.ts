/**
 * `npm run test:guests`: the kernel tests of this project inside the guests of hosts.yaml, each in a fresh clone that
 * is gone afterwards. Prints the count of each host and of all; exit status 0 only if none failed.
 */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { interruptSignal } from '../harness/cli/interrupt.ts';
import { createRunFolder, reapRuns } from '../harness/cli/run-folder.ts';
import { defaultCacheDir } from '../harness/hosts/cache.ts';
import type { HostDefinition } from '../harness/hosts/host.ts';
import { createProviders } from '../harness/hosts/providers.ts';
import { loadHosts } from '../harness/matrix/load-hosts.ts';
import { guestTestPackages } from '../harness/provision/guest-packages.ts';
import { ensureSystemPackages } from '../harness/provision/system-packages.ts';
import { packCheckout } from './guest-tests/checkout.ts';
import { modulesDisk } from './guest-tests/modules-disk.ts';
import { type GuestTestOptions, parseOptions } from './guest-tests/options.ts';
import { runInGuest } from './guest-tests/run-in-guest.ts';
import { couldNotStart, describeCounts, type TestCounts } from './test-report.ts';

const projectDir = fileURLToPath(new URL('..', import.meta.url));

try {
  process.exitCode = await main(parseOptions(process.argv.slice(2)));
} catch (error) {
  // commander has printed its own words already.
  if (!(error instanceof CommanderError)) console.error(error instanceof Error ? error.message : error);
  process.exitCode = error instanceof CommanderError ? error.exitCode : 1;
}

async function main(options: GuestTestOptions): Promise<number> {
  const definitions = chosenHosts(await loadHosts(`${projectDir}hosts.yaml`), options);
  const providers = createProviders();
  const cacheDir = defaultCacheDir();
  const runId = `tests-${randomBytes(4).toString('hex')}`;
  await ensureSystemPackages('scenarios', (message) => console.log(message));
  for (const provider of providers.values()) await provider.reap({ cacheDir, progress: console.log });
  await reapRuns(cacheDir);
  using interrupt = interruptSignal();
  const { signal } = interrupt;
  await using runFolder = await createRunFolder(cacheDir, runId);
  const [tree, modules] = await Promise.all([
    packCheckout(projectDir, signal),
    modulesDisk(projectDir, { cacheDir, signal }),
  ]);
  const words = [
    ...(options.files.length > 0 ? options.files : ['runtime/']),
    ...(options.text === undefined ? [] : ['-t', options.text]),
  ];
  const counts = await Promise.all(
    definitions.map(async (definition) => {
      const onLine = (line: string) => console.log(`${definition.name} | ${line}`);
      const provider = providers.get(definition.provider);
      const context = { cacheDir, runDir: runFolder.path, runId, signal, progress: onLine };
      try {
        if (!provider) throw new Error(`Cannot start ${definition.name}: no provider ${definition.provider}`);
        const tests = { definition, provider, tree, modules, disks: options.disks, words, onLine };
        return await runInGuest(tests, context);
      } catch (error) {
        onLine(error instanceof Error ? error.message : String(error));
        return couldNotStart;
      }
    }),
  );
  return summarise(definitions, counts) ? (interrupt.exitStatus ?? 0) : (interrupt.exitStatus ?? 1);
}

/** The hosts as tests want them: images of their own, with what tests call, and room. */
function chosenHosts(all: readonly HostDefinition[], options: GuestTestOptions): readonly HostDefinition[] {
  const unknown = options.hosts?.find((name) => all.every((host) => host.name !== name));
  if (unknown !== undefined) {
    const known = all.map(({ name }) => name).join(', ');
    throw new Error(
      `Cannot choose the hosts: found no ${JSON.stringify(unknown)} in hosts.yaml, wanted some of ${known}`,
    );
  }
  return all
    .filter(({ name, provider }) => options.hosts?.includes(name) ?? provider === 'qemu')
    .map((host) => ({
      ...host,
      name: `${host.name}-tests`,
      packages: [...host.packages, ...guestTestPackages.debian],
      memoryMiB: options.memory,
      cpus: options.cpus,
      diskGiB: Math.max(host.diskGiB, 16),
    }));
}

/** Prints the counts; answers whether nothing failed. */
function summarise(definitions: readonly HostDefinition[], counts: readonly TestCounts[]): boolean {
  const total = { passed: 0, failed: 0, skipped: [] as string[], remarks: [] };
  for (const [index, { name }] of definitions.entries()) {
    const count = counts[index] ?? couldNotStart;
    for (const title of count.skipped) console.log(`${name} | skipped: ${title}`);
    for (const remark of count.remarks) console.log(`${name} | ${remark}`);
    console.log(`${name}: ${describeCounts(count)}`);
    total.passed += count.passed;
    total.failed += count.failed;
    total.skipped.push(...count.skipped);
  }
  console.log(describeCounts(total));
  return total.failed === 0;
}
