import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { interruptSignal } from '../../harness/cli/interrupt.ts';
import type { HostDefinition } from '../../harness/hosts/host.ts';
import { loadHosts } from '../../harness/matrix/load-hosts.ts';
import { withoutDockerService } from '../../harness/provision/guest-packages.ts';
import { guestNode } from '../../harness/provision/prepare-guest.ts';
import { packagesFor } from '../guest-tests/driver-packages.ts';
import { follow } from '../guest-tests/follow.ts';
import { checkout, GuestSession } from '../guest-tests/guest-session.ts';
import type { BenchOptions } from './options.ts';
import { guestMark, projectDir } from './world.ts';

const resultFile = '/root/bench.json';

/** The same bench in a fresh guest of hosts.yaml, with Debian's Docker in its image. Answers its exit status. */
export async function benchInGuest(
  host: string,
  words: readonly string[],
  { json, drivers = [] }: Pick<BenchOptions, 'json' | 'drivers'>,
): Promise<number> {
  const definitions = await loadHosts(fileURLToPath(new URL('../../hosts.yaml', import.meta.url)));
  const definition = definitions.find(({ name }) => name === host);
  if (!definition) {
    const known = definitions.map(({ name }) => name).join(', ');
    throw new Error(`Cannot measure in ${JSON.stringify(host)}: wanted one of hosts.yaml, ${known}`);
  }
  using interrupt = interruptSignal();
  const progress = (line: string) => process.stderr.write(`${line}\n`);
  await using session = await GuestSession.open(projectDir, 'bench', { signal: interrupt.signal, progress });
  await using guest = await session.start({
    definition: withEngines(definition, drivers),
    disks: [],
    progress,
  });
  const { ssh } = guest.host;
  const bench = [guestNode, '--disable-warning=ExperimentalWarning', 'scripts/bench/main.ts', ...words];
  const status = await follow(
    ssh,
    ['env', '-C', checkout, ...guest.environment, `${guestMark}=1`, ...bench, '--json', resultFile],
    (line) => console.log(line),
    guest.signal,
  );
  if (json !== undefined) {
    await writeFile(json, await ssh.ok(['cat', resultFile], { signal: guest.signal }));
  }
  return interrupt.exitStatus ?? status ?? 1;
}

/** What the bench probes for is in the image, since a guest need not reach a mirror. The bench starts Docker itself. */
function withEngines(definition: HostDefinition, drivers: readonly string[]): HostDefinition {
  const packages = ['apparmor', 'btrfs-progs', 'busybox-static', 'crun', 'docker.io', 'runc', 'umoci'];
  return {
    ...definition,
    name: `${definition.name}-bench`,
    packages: [...definition.packages, ...packages, ...packagesFor(definition, drivers)],
    kernelArgs: [...definition.kernelArgs, ...withoutDockerService],
    memoryMiB: 2048,
    cpus: 2,
    diskGiB: Math.max(definition.diskGiB, 16),
  };
}
