import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Process } from '../base/oci.ts';
import { launch } from './launch.ts';
import { launchExec } from './launch-exec.ts';
import { LaunchFixture, processes, readProc, titleSuffix, whyNoLaunches } from './test-fixture.ts';
import type { LaunchedProcess } from './types.ts';
import { watchExit } from './watch-exit.ts';

const cgroup = { v1Procs: [] };

async function withContainer(
  use: (fixture: LaunchFixture, target: LaunchedProcess) => Promise<void>,
): Promise<void> {
  await using fixture = await LaunchFixture.create();
  const target = await launch(fixture.request(['sleep', '60']));
  try {
    await use(fixture, target);
  } finally {
    process.kill(target.pid, 'SIGKILL');
    await watchExit(fixture.runDir);
  }
}

async function run(target: LaunchedProcess, what: Process, input?: string) {
  const command = await launchExec({ target, cgroup, process: what, openStdin: input !== undefined });
  command.stdin?.end(input);
  const [stdout, stderr, exit] = await Promise.all([
    text(command.stdout),
    text(command.stderr),
    command.exited,
  ]);
  return { stdout, stderr, exit };
}

const execHelpers = () => processes().filter((pid) => readProc(pid, 'cmdline') === 'hull-exec\0');

describe.skipIf(whyNoLaunches !== undefined)(`launchExec${titleSuffix}`, () => {
  it('runs a command inside: streams, exit code, nothing of ours in there', async () => {
    await withContainer(async (fixture, target) => {
      const helpers = execHelpers();
      const script = 'cat; echo err >&2; hostname; cat /proc/1/cmdline; ls /proc/self/fd; exit 7';
      const { stdout, stderr, exit } = await run(target, fixture.process(['sh', '-c', script]), 'in\n');
      // 3 is the folder that ls itself reads.
      expect(stdout).toBe('in\ndeck\nsleep\x0060\x000\n1\n2\n3\n');
      expect({ stderr, exit }).toEqual({ stderr: 'err\n', exit: { exitCode: 7 } });
      expect(execHelpers()).toEqual(helpers);
    });
  });

  it('has a user, working folder and environment of its own', async () => {
    await withContainer(async (fixture, target) => {
      const script = 'id; pwd; echo $A; cat < /dev/null > /dev/stdout';
      const what = fixture.process(['sh', '-c', script], {
        user: { uid: 33, gid: 34, additionalGids: [4] },
        cwd: '/etc',
        env: ['PATH=/bin', 'A=b'],
      });
      expect(await run(target, what)).toMatchObject({
        stdout: 'uid=33 gid=34 groups=4\n/etc\nb\n',
        exit: { exitCode: 0 },
      });
    });
  });

  it('reports signals, and commands that cannot be run', async () => {
    await withContainer(async (fixture, target) => {
      expect((await run(target, fixture.process(['sh', '-c', 'kill -9 $$']))).exit).toEqual({
        exitCode: 137,
        signal: 9,
      });
      const failing = run(target, fixture.process(['nosuch']));
      await expect(failing).rejects.toMatchObject({ name: 'LaunchError', code: 'ENOENT', exitCode: 127 });
    });
  });

  it('never enters a process that took over the number, or one that is gone', async () => {
    await withContainer(async (fixture, target) => {
      const other = { ...target, startTicks: '1' };
      await expect(run(other, fixture.process(['true']))).rejects.toMatchObject({ kind: 'conflict' });
      const gone = { ...target, pid: 2 ** 22 + 1 };
      await expect(run(gone, fixture.process(['true']))).rejects.toMatchObject({ kind: 'conflict' });
    });
  });

  it('leaks no descriptor of ours, also when it fails', async () => {
    await withContainer(async (fixture, target) => {
      await run(target, fixture.process(['true']));
      const before = (await readdir('/proc/self/fd')).length;
      for (let round = 0; round < 5; round += 1) {
        await run(target, fixture.process(['true']), '');
        await run(target, fixture.process(['nosuch']), '').catch(() => undefined);
      }
      expect((await readdir('/proc/self/fd')).length).toBe(before);
    });
  });

  it('ends with the container', async () => {
    await withContainer(async (fixture, target) => {
      const command = await launchExec({
        target,
        cgroup,
        process: fixture.process(['sleep', '60']),
        openStdin: false,
      });
      process.kill(target.pid, 'SIGKILL');
      expect(await command.exited).toEqual({ exitCode: 137, signal: 9 });
      command.stdout.destroy();
      command.stderr.destroy();
    }).catch((error: NodeJS.ErrnoException) => expect(error.code).toBe('ESRCH'));
  });

  it('dies with the daemon', async () => {
    await withContainer(async (fixture, target) => {
      const request = { target, cgroup, process: fixture.process(['sleep', '61']), openStdin: false };
      const module = new URL('./launch-exec.ts', import.meta.url).href;
      const code = `import { launchExec } from ${JSON.stringify(module)};
        console.log((await launchExec(${JSON.stringify(request)})).pid); setInterval(() => {}, 1000);`;
      const daemon = spawn(process.execPath, ['--input-type=module', '-e', code], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [answer] = await once(daemon.stdout, 'data');
      const pid = Number(String(answer));
      expect(readProc(pid, 'cmdline')).toBe('sleep\x0061\x00');
      daemon.kill('SIGKILL');
      await once(daemon, 'exit');
      for (let tries = 0; readProc(pid, 'cmdline') !== '' && tries < 100; tries += 1) await sleep(10);
      expect(readProc(pid, 'cmdline')).toBe('');
    });
  });
});
