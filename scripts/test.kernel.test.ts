import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { cgroupsOfRun } from './run-root.ts';

const notRoot = process.getuid?.() !== 0;
const program = fileURLToPath(new URL('test.ts', import.meta.url));

function run(folder: string, filter: string) {
  const child = spawn(process.execPath, [program, filter], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk));
  return { child, end: once(child, 'close'), said: () => said };
}

/** What was killed while it was frozen ends when it is thawed (cgroup v1): the next run does that. */
async function isFrozen(pid: string): Promise<boolean> {
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  const path = /^\d+:freezer:(.*)$/m.exec(groups)?.[1] ?? '';
  const state = await readFile(join('/sys/fs/cgroup/freezer', path, 'freezer.state'), 'utf8').catch(() => '');
  return state.startsWith('FR');
}

async function awakeProcessesOf(folder: string): Promise<readonly string[]> {
  const pids = await processesOf(folder);
  const frozen = await Promise.all(pids.map(isFrozen));
  return pids.filter((_, index) => !frozen[index]);
}

async function processesOf(folder: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const environments = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')),
  );
  return pids.filter((_, index) => environments[index]?.includes(folder));
}

it.skipIf(notRoot)(
  `npm test that is killed: its processes go with it, the next run removes the rest${notRoot ? ' (skipped: not root)' : ''}`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'test-test-'));
    try {
      const killed = run(folder, 'runtime/cgroups/cgroups.kernel');
      const root = async () => {
        const [label = 'not yet there'] = await readdir(folder);
        return { label, folder: join(folder, label) };
      };
      await expect.poll(async () => await cgroupsOfRun(await root()), { timeout: 50_000 }).not.toEqual([]);
      const killedRoot = await root();
      killed.child.kill('SIGKILL');
      await expect.poll(() => awakeProcessesOf(folder), { timeout: 20_000 }).toEqual([]);

      const next = run(folder, 'scripts/test-report.test.ts');
      expect(await next.end).toEqual([0, null]);
      expect(next.said()).toContain(`removed what ${killedRoot.label} had left`);
      expect(next.said()).toMatch(/^6 passed, 0 failed, 0 skipped$/m);
      expect(await cgroupsOfRun(killedRoot)).toEqual([]);
      await expect.poll(() => processesOf(folder), { timeout: 20_000 }).toEqual([]);
      expect(await readdir(folder)).toEqual([]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
