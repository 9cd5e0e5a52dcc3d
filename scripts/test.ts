/**
 * `npm test`: every test that needs no guest, on this machine's own kernel. As root it installs the system packages
 * the tests use; without root it runs the unit tests and says what it left out.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { $ } from 'zx';
import { ensureSystemPackages } from '../harness/provision/system-packages.ts';

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  numFailedTestSuites: z.number(),
  testResults: z.array(
    z.object({ assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })) }),
  ),
});

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
  // vitest says itself why it could not start; the count is still a line that CI can read.
  if (existsSync(outputFile)) summarise(Report.parse(JSON.parse(readFileSync(outputFile, 'utf8'))));
  else console.log('0 passed, 1 failed, 0 skipped');
  process.exitCode = exitCode ?? 1;
} finally {
  await rm(scratch, { recursive: true, force: true });
}

function summarise(report: z.infer<typeof Report>): void {
  const skipped = report.testResults.flatMap((file) =>
    file.assertionResults.filter(({ status }) => status !== 'passed' && status !== 'failed'),
  );
  for (const { fullName } of skipped) console.log(`skipped: ${fullName}`);
  // A file that does not load has failed without a test to count.
  const failed = report.numFailedTests || Math.min(report.numFailedTestSuites, 1);
  console.log(`${report.numPassedTests} passed, ${failed} failed, ${skipped.length} skipped`);
}
