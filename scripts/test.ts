/**
 * `npm test`: every test that needs no guest, on this machine's own kernel. As root it installs the system packages
 * the tests use; without root it runs the unit tests and says what it left out.
 */
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureSystemPackages } from '../harness/provision/system-packages.ts';
import { makeRunRoot, reapDeadRuns, removeRunRoot, thawRun } from './run-root.ts';
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
for (const label of await reapDeadRuns('test')) console.log(`removed what ${label} had left`);

const root = await makeRunRoot('test');
try {
  const outputFile = join(root.folder, 'report.json');
  const projects = ['--project', 'unit', ...(isRoot ? ['--project', 'kernel'] : [])];
  const unhandled = join(import.meta.dirname, 'unhandled-errors-reporter.ts');
  const reporters = ['default', 'json', unhandled].flatMap((name) => ['--reporter', name]);
  const [program = 'vitest', ...args] = [
    ...(isRoot ? await ownNamespaces() : []),
    ...['vitest', 'run', ...projects, ...reporters, `--outputFile.json=${outputFile}`, ...filters],
  ];
  const tests = execa(program, args, {
    preferLocal: true,
    stdio: 'inherit',
    reject: false,
    env: { SEATRIAL_RUN: root.label, TMPDIR: root.folder },
  });
  let endedBy: NodeJS.Signals | undefined;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      endedBy ??= name;
      // A terminal sends its Ctrl-C to the tests too, which then end by themselves.
      setTimeout(() => tests.kill('SIGKILL'), name === 'SIGINT' ? 5000 : 0).unref();
    });
  }
  // The report is the last thing that is written: what a test left frozen then would keep the namespace, and this run, for ever.
  const thawing = setInterval(() => {
    if (existsSync(outputFile)) void thawRun(root);
  }, 2000);
  const { exitCode } = await tests;
  clearInterval(thawing);
  const counts = existsSync(outputFile)
    ? readTestReport(readFileSync(outputFile, 'utf8'), exitCode)
    : couldNotStart;
  for (const name of counts.skipped) console.log(`skipped: ${name}`);
  for (const remark of counts.remarks) console.log(remark);
  console.log(describeCounts(counts));
  process.exitCode = endedBy === undefined ? (exitCode ?? 1) : 128 + constants.signals[endedBy];
} finally {
  await removeRunRoot(root);
}

/**
 * In mount and pid namespaces of its own what the tests start and mount ends with the run, whatever ends that. Process 1 is
 * bash, because it reaps what is orphaned.
 */
async function ownNamespaces(): Promise<readonly string[]> {
  const unshare = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const probe = await execa('unshare', [...unshare, 'true'], { reject: false });
  if (probe.exitCode === 0) {
    return ['setpriv', '--pdeathsig', 'KILL', 'unshare', ...unshare, 'bash', '-c', '"$@" & wait $!', 'tests'];
  }
  console.log(
    `No namespaces of its own for this run, which leaves things behind if it is killed: ${probe.stderr}`,
  );
  return [];
}
