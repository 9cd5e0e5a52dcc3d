import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { guestNode } from '../../harness/provision/prepare-guest.ts';
import type { Ssh } from '../../harness/ssh/ssh.ts';
import { couldNotStart, readTestReport, type TestCounts } from '../test-report.ts';
import { follow } from './follow.ts';
import { type CheckoutGuest, checkout } from './guest-session.ts';

const report = '/root/report.json';

// Under emulation everything takes ten to twenty times as long.
const vitestTimes = ['--testTimeout=600000', '--hookTimeout=600000', '--teardownTimeout=60000'];
// The guest's Node runs TypeScript itself: no transform, no loader.
const native = ['--experimental.viteModuleRunner=false', '--experimental.nodeLoader=false'];

/** Runs the kernel tests that `words`, vitest's filters, leave. Throws what broke the host. */
export async function runInGuest(
  { host, disks, signal, environment }: CheckoutGuest,
  words: readonly string[],
  onLine: (line: string) => void,
): Promise<TestCounts> {
  const own = [`SEATRIAL_SPARE_DISKS=${disks.join(',')}`, ...(await chosenDriver(host.ssh, signal))];
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

/**
 * `HULL_TEST_DRIVER` of this machine, for suites that run on one storage driver. Some of them call the docker client: this machine's
 * goes along, for Debian has it only with a daemon.
 */
async function chosenDriver(ssh: Ssh, signal: AbortSignal): Promise<readonly string[]> {
  const driver = process.env['HULL_TEST_DRIVER'];
  if (driver === undefined) return [];
  const client = await dockerClient();
  const install = 'cat > /usr/local/bin/docker && chmod 755 /usr/local/bin/docker';
  if (client) await ssh.ok(['sh', '-c', install], { input: client, signal });
  return [`HULL_TEST_DRIVER=${driver}`];
}

/** A program that needs no library of this machine's, or undefined. */
async function dockerClient(): Promise<Uint8Array | undefined> {
  const { stdout: path, failed } = await execa('which', ['docker'], { reject: false });
  if (failed) return undefined;
  const { stdout } = await execa('ldd', [path], { reject: false });
  return stdout.includes('=>') ? undefined : await readFile(path);
}

/** What the kernel said of programs that died of an address or an instruction: a test sees no more of it than the signal. */
async function processFaults(ssh: Ssh, signal: AbortSignal): Promise<readonly string[]> {
  const { stdout } = await ssh.run(['dmesg', '--ctime'], { signal });
  return stdout.split('\n').filter((line) => /segfault at|general protection|trap invalid opcode/.test(line));
}
