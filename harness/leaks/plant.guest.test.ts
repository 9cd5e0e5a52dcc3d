import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe } from 'vitest';
import { defaultCacheDir } from '../hosts/cache.ts';
import type { HostDefinition } from '../hosts/host.ts';
import { createQemuProvider } from '../hosts/qemu/provider.ts';
import { openGuestWorld } from './guest-world.ts';
import { describeLeakDetector, openPlantedWorld, type PlantedWorld } from './plant-suite.ts';

/*
 * The detector's test on kernels that have what this machine's lacks: device mapper, dummy links, zfs, cgroup version 1 or 2 alone.
 * `vitest run --project guest harness/leaks`, the first time some ten minutes, for zfs' module is compiled then.
 */
const runDir = await mkdtemp(join(tmpdir(), 'seatrial-leaks-'));
const context = {
  cacheDir: defaultCacheDir(),
  runDir,
  runId: `leaks-${process.pid}`,
  signal: new AbortController().signal,
  progress: (message: string) => console.log(message),
};
const guests: { readonly name: string; readonly opened: PlantedWorld }[] = [];
const provider = createQemuProvider();
for (const definition of [
  define('debian-11', '11', ['systemd.unified_cgroup_hierarchy=0']),
  define('debian-13', '13', [], ['linux-headers-amd64', 'contrib/zfs-dkms', 'contrib/zfsutils-linux']),
]) {
  await provider.prepare(definition, context);
  const host = await provider.start(definition, context);
  guests.push({ name: definition.name, opened: await openPlantedWorld(await openGuestWorld(host)) });
}

afterAll(async () => {
  for (const { opened } of guests) {
    await opened.leaks[Symbol.asyncDispose]();
    await opened.world[Symbol.asyncDispose]();
  }
  await rm(runDir, { recursive: true, force: true });
});

describe.each(guests)('$name', ({ opened }) => describeLeakDetector(opened, []));

/** As in hosts.yaml, so that its templates are used. */
function define(
  name: string,
  release: string,
  kernelArgs: readonly string[],
  packages: readonly string[] = [],
): HostDefinition {
  return {
    name,
    provider: 'qemu',
    distribution: 'debian',
    release,
    memoryMiB: 1024,
    cpus: 1,
    diskGiB: 8,
    kernelArgs,
    packages,
    engines: [],
  };
}
