import { guestNode } from '../../harness/provision/prepare-guest.ts';
import type { Ssh } from '../../harness/ssh/ssh.ts';
import { couldNotStart, readTestReport, type TestCounts } from '../test-report.ts';
import { follow } from './follow.ts';
import { type CheckoutGuest, checkout } from './guest-session.ts';

const report = '/root/report.json';

// Under emulation everything takes ten to twenty times as long.
const vitestTimes = ['--testTimeout=600000', '--teardownTimeout=60000'];
// The guest's Node runs TypeScript itself: no transform, no loader.
const native = ['--experimental.viteModuleRunner=false', '--experimental.nodeLoader=false'];

/** Runs the kernel tests that `words`, vitest's filters, leave. Throws what broke the host. */
export async function runInGuest(
  { host, disks, signal, environment }: CheckoutGuest,
  words: readonly string[],
  onLine: (line: string) => void,
): Promise<TestCounts> {
  const own = [`SEATRIAL_SPARE_DISKS=${disks.join(',')}`, ...chosenDriver()];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const vitest = [guestNode, 'node_modules/vitest/vitest.mjs', 'run', '--project', 'kernel'];
  const argv = [...vitest, ...native, ...vitestTimes, ...reporters, ...words];
  const status = await follow(
    host.ssh,
    ['env', '-C', checkout, ...environment, ...own, ...argv],
    onLine,
    signal,
  );
  for (const line of await processFaults(host.ssh, signal)) onLine(`kernel: ${line}`);
  const written = await host.ssh.run(['cat', report], { signal });
  if (written.exitCode !== 0) return couldNotStart;
  return readTestReport(written.stdout, status);
}

/** What the kernel said of programs that died of an address or an instruction: a test sees no more of it than the signal. */
async function processFaults(ssh: Ssh, signal: AbortSignal): Promise<readonly string[]> {
  const { stdout } = await ssh.run(['dmesg', '--ctime'], { signal });
  return stdout.split('\n').filter((line) => /segfault at|general protection|trap invalid opcode/.test(line));
}

/** `HULL_TEST_DRIVER` of this machine, for suites that run on one storage driver. */
function chosenDriver(): readonly string[] {
  const driver = process.env['HULL_TEST_DRIVER'];
  return driver === undefined ? [] : [`HULL_TEST_DRIVER=${driver}`];
}
