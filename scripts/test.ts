/**
 * `npm test`: every test that needs no guest, on this machine's own kernel. As root it installs the system packages
 * the tests use; without root it runs the unit tests and says what it left out.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $ } from 'zx';
import { ensureSystemPackages } from '../harness/provision/system-packages.ts';
import { couldNotStart, describeCounts, readTestReport } from './test-report.ts';

const isRoot = process.getuid?.() === 0;
const filters = process.argv.slice(2);
if (isRoot) {
  await ensureSystemPackages('tests', (message) => console.log(message));
} else {
  console.log(
    'Not root: the tests that mount, clone and write cgroups are left out; run "sudo npm test" for them.',
  );
}

const scratch = await mkdtemp(join(tmpdir(), 'seatrial-test-'));
try {
  const outputFile = join(scratch, 'report.json');
  const projects = ['--project', 'unit', ...(isRoot ? ['--project', 'kernel'] : [])];
  const reporters = ['--reporter', 'default', '--reporter', 'json', `--outputFile.json=${outputFile}`];
  const { exitCode } = await $({
    stdio: 'inherit',
    nothrow: true,
  })`vitest run ${projects} ${reporters} ${filters}`;
  const counts = existsSync(outputFile) ? readTestReport(readFileSync(outputFile, 'utf8')) : couldNotStart;
  for (const name of counts.skipped) console.log(`skipped: ${name}`);
  for (const remark of counts.remarks) console.log(remark);
  console.log(describeCounts(counts));
  process.exitCode = exitCode ?? 1;
} finally {
  await rm(scratch, { recursive: true, force: true });
}
