/**
 * `npm run test:guests`: the kernel tests of this project inside the guests of hosts.yaml, each in a fresh clone that
 * is gone afterwards. Prints the count of each host and of all; exit status 0 only if none failed.
 */
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { interruptSignal } from '../harness/cli/interrupt.ts';
import type { HostDefinition } from '../harness/hosts/host.ts';
import { loadHosts } from '../harness/matrix/load-hosts.ts';
import {
  dockerClient,
  guestTestPackages,
  withoutDockerService,
} from '../harness/provision/guest-packages.ts';
import { driversOf, packagesFor } from './guest-tests/driver-packages.ts';
import { GuestSession } from './guest-tests/guest-session.ts';
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
  using interrupt = interruptSignal();
  await using session = await GuestSession.open(projectDir, 'tests', {
    signal: interrupt.signal,
    progress: console.log,
  });
  const words = [
    ...(options.files.length > 0 ? options.files : ['runtime/']),
    ...(options.text === undefined ? [] : ['-t', options.text]),
  ];
  const counts = await Promise.all(
    definitions.map(async (definition) => {
      const onLine = (line: string) => console.log(`${definition.name} | ${line}`);
      try {
        await using guest = await session.start({ definition, disks: options.disks, progress: onLine });
        return await runInGuest(guest, words, onLine);
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
  mustBeKnown(
    'hosts',
    options.hosts ?? [],
    all.map(({ name }) => name),
  );
  mustBeKnown(
    'drivers',
    options.drivers,
    all.flatMap((host) => driversOf(host).map(({ name }) => name)),
  );
  return all
    .filter(({ name, provider }) => options.hosts?.includes(name) ?? provider === 'qemu')
    .map((host) => ({
      ...host,
      name: `${host.name}-tests`,
      packages: [
        ...host.packages,
        ...guestTestPackages.debian,
        dockerClient(host.release),
        ...packagesFor(host, options.drivers),
      ],
      kernelArgs: [...host.kernelArgs, ...withoutDockerService, 'systemd.mask=containerd.service'],
      memoryMiB: options.memory,
      cpus: options.cpus,
      diskGiB: Math.max(host.diskGiB, 16),
    }));
}

function mustBeKnown(what: string, wanted: readonly string[], known: readonly string[]): void {
  const unknown = wanted.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new Error(
    `Cannot choose the ${what}: found no ${JSON.stringify(unknown)} in hosts.yaml, wanted some of ${[...new Set(known)].join(', ')}`,
  );
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
