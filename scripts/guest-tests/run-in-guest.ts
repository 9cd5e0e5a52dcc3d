import { createInterface } from 'node:readline';
import {
  type HostContext,
  type HostDefinition,
  type HostProvider,
  hasDiskBay,
} from '../../harness/hosts/host.ts';
import { guestNode } from '../../harness/provision/prepare-guest.ts';
import type { Ssh } from '../../harness/ssh/ssh.ts';
import { couldNotStart, readTestReport, type TestCounts } from '../test-report.ts';

/** Where every user may read it: some tests are another one. */
const checkout = '/opt/checkout';
const report = '/root/report.json';
/** On the disk, where /tmp may be memory; below it every test makes folders of its own. */
const scratch = '/var/tmp/tests';

// Under emulation everything takes ten to twenty times as long.
const vitestTimes = ['--testTimeout=600000', '--hookTimeout=600000', '--teardownTimeout=60000'];
/**
 * Node takes types away by WebAssembly. Emulated, V8 now and then ends a program in the middle of changing hot functions of that to
 * optimised ones (`it->second.Size() > offset`, from Runtime_WasmTriggerTierUp), which a start does thirty times; without, it also costs less.
 */
const withoutTierUp = `--import=data:text/javascript,${['tier-up', 'dynamic-tiering']
  .map((what) => `process.getBuiltinModule('v8').setFlagsFromString('--no-wasm-${what}')`)
  .join(';')}`;

// The guest's Node runs TypeScript itself: no transform, no loader.
const native = ['--experimental.viteModuleRunner=false', '--experimental.nodeLoader=false'];

export interface GuestTests {
  readonly definition: HostDefinition;
  readonly provider: HostProvider;
  /** The checkout as a tar. */
  readonly tree: Uint8Array;
  /** A raw image of its node_modules. */
  readonly modules: string;
  readonly disks: readonly number[];
  /** Words for vitest: filters. */
  readonly words: readonly string[];
  readonly onLine: (line: string) => void;
}

/** Starts a fresh clone of the host, runs the tests in it and ends it. Throws what broke the host. */
export async function runInGuest(tests: GuestTests, context: HostContext): Promise<TestCounts> {
  const { definition, provider, tree, modules, disks, words } = tests;
  await using host = await provider.start(definition, context);
  if (!hasDiskBay(host)) {
    throw new Error(`Cannot test in ${host.name}: its provider ${definition.provider} cannot plug disks`);
  }
  const { kernel, distribution, cgroups, accelerator } = host.facts;
  context.progress(`${distribution}, kernel ${kernel}, cgroup ${cgroups}, ${accelerator}`);
  const signal = AbortSignal.any([context.signal, host.broken]);
  const modulesDevice = await host.plugDisk({ copyOf: modules });
  const spares: string[] = [];
  for (const sizeBytes of disks) spares.push(await host.plugDisk({ sizeBytes }));
  const unpack = `mkdir -p ${checkout} ${scratch} && tar -x -C ${checkout} && mkdir ${checkout}/node_modules && mount "$1" ${checkout}/node_modules`;
  await host.ssh.ok(['sh', '-c', unpack, 'unpack', modulesDevice], { input: tree, signal });
  const environment = [
    `PATH=${checkout}/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    `TMPDIR=${scratch}`,
    'HOME=/root',
    'NO_COLOR=1',
    `NODE_OPTIONS=${withoutTierUp}`,
    `SEATRIAL_SPARE_DISKS=${spares.join(',')}`,
  ];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const vitest = [guestNode, 'node_modules/vitest/vitest.mjs', 'run', '--project', 'kernel'];
  const argv = [...vitest, ...native, ...vitestTimes, ...reporters, ...words];
  const status = await follow(
    host.ssh,
    ['env', '-C', checkout, ...environment, ...argv],
    tests.onLine,
    signal,
  );
  for (const line of await processFaults(host.ssh, signal)) tests.onLine(`kernel: ${line}`);
  const written = await host.ssh.run(['cat', report], { signal });
  if (written.exitCode !== 0) return couldNotStart;
  return readTestReport(written.stdout, status);
}

/** What the kernel said of programs that died of an address or an instruction: a test sees no more of it than the signal. */
async function processFaults(ssh: Ssh, signal: AbortSignal): Promise<readonly string[]> {
  const { stdout } = await ssh.run(['dmesg', '--ctime'], { signal });
  return stdout.split('\n').filter((line) => /segfault at|general protection|trap invalid opcode/.test(line));
}

/** Runs the command to its end, its output and errors line by line; answers its exit status. */
async function follow(
  ssh: Ssh,
  argv: readonly string[],
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<number | undefined> {
  signal.throwIfAborted();
  await using command = await ssh.spawn(['sh', '-c', 'exec "$@" 2>&1 </dev/null', 'follow', ...argv]);
  command.exited.catch(() => {});
  const lines = createInterface({ input: command.stdio });
  // Not by the stream: readline goes on waiting for lines when its input is destroyed.
  const stop = () => lines.close();
  signal.addEventListener('abort', stop, { once: true });
  command.stderr.resume();
  try {
    for await (const line of lines) onLine(line);
    signal.throwIfAborted();
    return (await command.exited).exitCode;
  } finally {
    signal.removeEventListener('abort', stop);
    signal.throwIfAborted();
  }
}
