import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cgroupsOfRun } from '../run-root.ts';
import { BenchResult } from './result.ts';

const notRoot = process.getuid?.() !== 0;
const title = (text: string) => (notRoot ? `${text} (skipped: not root)` : text);
const main = fileURLToPath(new URL('main.ts', import.meta.url));
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bench-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it.skipIf(notRoot)(title('a short run writes valid JSON and leaves nothing'), async () => {
  const json = join(folder, 'result.json');
  const bench = run(
    '--tasks',
    'run-to-exit,create-depth-1',
    '--subjects',
    'hull/overlay,unshare',
    '--json',
    json,
  );
  expect(await bench.end).toBe(0);
  const result = BenchResult.parse(JSON.parse(await readFile(json, 'utf8')));
  expect(result.rows.map(({ task, subject, driver, samples }) => [task, subject, driver, samples])).toEqual([
    ['run-to-exit', 'hull', 'overlay', 2],
    ['run-to-exit', 'unshare', undefined, 2],
    ['create-depth-1', 'hull', 'overlay', 2],
  ]);
  expect(result.ratios.map(({ subject, to }) => [subject, to])).toEqual([
    ['hull', 'unshare'],
    ['unshare', 'hull'],
  ]);
  expect(bench.said()).toMatch(/^\| run-to-exit +\| hull\/overlay +\| ms /m);
  expect(await leftovers()).toEqual([]);
});

it.skipIf(notRoot)(title('names the reason of each absence'), async () => {
  // Without Docker and crun on the PATH, and none in the system folders: at least dockerd's absence can be made.
  const bench = run('--tasks', 'daemon-start', '--subjects', 'docker,hull/overlay', '--samples', '1');
  expect(await bench.end).toBe(0);
  const isThere = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'].some((place) =>
    existsSync(join(place, 'dockerd')),
  );
  expect(bench.said()).toMatch(
    isThere ? /docker\/overlay2 +\| ms/ : /docker\/overlay2 absent: no dockerd on the PATH/,
  );
});

it.skipIf(notRoot)(title('Ctrl-C ends everything at once and leaves nothing'), async () => {
  const bench = run('--tasks', 'run-to-exit', '--subjects', 'hull', '--samples', '100000');
  const cgroups = await worldIsUp(bench.child);
  bench.child.kill('SIGINT');
  expect(await bench.end).toBe(130);
  expect([...(await leftovers()), ...cgroups.filter(existsSync)]).toEqual([]);
});

it.skipIf(notRoot)(
  title('what a SIGKILL leaves ends by itself, and the next start removes the rest'),
  async () => {
    const bench = run('--tasks', 'run-to-exit', '--subjects', 'hull', '--samples', '100000');
    await worldIsUp(bench.child);
    bench.child.kill('SIGKILL');
    expect(await bench.end).toBe(null);
    const next = run('--tasks', 'run-to-exit', '--subjects', 'unshare', '--samples', '1');
    expect(await next.end).toBe(0);
    expect(next.said()).toMatch(/^removed what seatrial-bench-\d+-\d+ had left$/m);
    expect(await leftovers()).toEqual([]);
  },
);

interface Run {
  readonly child: ChildProcess;
  readonly end: Promise<number | null>;
  readonly said: () => string;
}

/** The bench in a temporary folder of its own, so that another one on this machine is not seen. */
function run(...args: readonly string[]): Run {
  const child = spawn(process.execPath, [main, '--samples', '2', '--warmup', '0', ...args], {
    env: { ...process.env, TMPDIR: folder, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said += chunk;
    });
  }
  return { child, end: once(child, 'close').then(([code]) => code), said: () => said };
}

/** Until hull runs a container. Answers the bench's cgroups, of which at least one is there. */
async function worldIsUp(child: ChildProcess): Promise<readonly string[]> {
  for (let tries = 0; tries < 800; tries += 1) {
    const [label] = (await readdir(folder)).filter((name) => name.startsWith('seatrial-bench-'));
    const cgroups = label === undefined ? [] : await cgroupsOfRun({ label, folder: join(folder, label) });
    if (cgroups.length > 0) return cgroups;
    if (child.exitCode !== null) throw new Error('the bench has ended');
    await sleep(50);
  }
  throw new Error('no container of hull in 40 s');
}

/** Folders and processes of the benches of this test. */
async function leftovers(): Promise<readonly string[]> {
  const folders = (await readdir(folder)).filter((name) => name.startsWith('seatrial-bench-'));
  const processes: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const [command, mounts, cgroup] = await Promise.all(
      ['cmdline', 'mountinfo', 'cgroup'].map((name) =>
        readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => ''),
      ),
    );
    const ours = [command, mounts, cgroup].some((text) => text?.includes(folder));
    if (ours && Number(pid) !== process.pid) processes.push(`process ${pid} ${command}`);
  }
  return [...folders, ...processes];
}
