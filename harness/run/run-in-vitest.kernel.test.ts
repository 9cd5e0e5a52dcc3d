import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';

const runner = new URL('./run-in-vitest.ts', import.meta.url).href;
const api = new URL('./scenario.ts', import.meta.url).href;

/** Runs one scenario file in a worker, in a process of its own; the scenario needs no host. Answers why the run ended early. */
async function runFile(body: string): Promise<{ readonly said: string; readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'run-in-vitest-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'area/one.scenario.ts');
  await mkdir(join(folder, 'area'));
  await symlink(new URL('../../node_modules', import.meta.url).pathname, join(folder, 'node_modules'));
  await writeFile(file, `import { scenario } from ${JSON.stringify(api)};\n${body}`);
  const program = `
    import { runInVitest } from ${JSON.stringify(runner)};
    const cell = { host: 'h', engine: 'hull', driver: { name: 'vfs', required: true, options: {} } };
    const early = await runInVitest({
      projectDir: ${JSON.stringify(folder)},
      jobs: [{ cell, area: 'area', scenario: 'one' }],
      cells: new Map([['h/hull/vfs', { cell, scenarios: ['area/one'], repeat: 1 }]]),
      scenarios: [{ area: 'area', scenario: 'one', dependsOnDriver: true, options: { dependsOnDriver: true }, file: ${JSON.stringify(file)} }],
      signal: new AbortController().signal,
      silenceMs: 4000,
      events: { started() {}, ended() {}, note: (text) => console.error(text) },
    });
    console.log(early);
    process.exit();`;
  const { stdout } = await execa(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: folder,
    timeout: 60_000,
    // vitest sets the exit status of a run that was cancelled.
    reject: false,
  });
  return { said: stdout.trim(), folder };
}

it('a worker whose event loop is blocked is given up, and killed', { timeout: 90_000 }, async () => {
  const block = `
    import { writeFileSync } from 'node:fs';
    writeFileSync(new URL('../worker.pid', import.meta.url), String(process.pid));
    scenario('one', { dependsOnDriver: true }, async () => {});
    for (;;);`;
  const { said, folder } = await runFile(block);
  expect(said).toBe('the worker hung: no word for 4 s');
  const pid = (await readFile(join(folder, 'worker.pid'), 'utf8')).trim();
  await expect.poll(async () => (await readdir('/proc')).includes(pid), { timeout: 10_000 }).toBe(false);
});
