import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { launch } from './launch.ts';
import { launchExec } from './launch-exec.ts';
import { openStdin, resizeContainer } from './stdin.ts';
import { LaunchFixture, titleSuffix, whyNoLaunches } from './test-fixture.ts';
import type { LaunchedExec } from './types.ts';
import { watchExit } from './watch-exit.ts';

const stty = '/bin/busybox stty';

describe.skipIf(whyNoLaunches !== undefined)(`a container with a terminal${titleSuffix}`, () => {
  /** Starts a shell script at a terminal; `type` writes to it, `shown` waits until it shows a text. */
  async function open(fixture: LaunchFixture, script: string, userNamespace = false) {
    const mappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    const started = await launch(
      fixture.request(['sh', '-c', script], {
        root: 'bind',
        process: { terminal: true, consoleSize: { height: 24, width: 80 } },
        request: { openStdin: true },
        ...(userNamespace
          ? {
              linux: {
                namespaces: ['mount', 'pid', 'network', 'ipc', 'uts', 'user'].map((type) => ({
                  type: type as 'user',
                })),
                uidMappings: mappings,
                gidMappings: mappings,
              },
            }
          : {}),
      }),
    );
    const stdin = openStdin(fixture.runDir);
    return {
      ...started,
      exit: watchExit(fixture.runDir),
      type: (text: string) => void stdin.write(text),
      shown: (text: string | RegExp) =>
        expect.poll(async () => (await fixture.output()).stdout, { timeout: 20_000 }).toMatch(text),
      close: () => stdin.destroy(),
    };
  }

  it.each([
    ['the host’s user namespace', false],
    ['a user namespace of its own', true],
  ])('has it as its three streams, /dev/console and /dev/tty, in %s', async (_, userNamespace) => {
    await using fixture = await LaunchFixture.create();
    await chmod(fixture.dir, 0o755);
    if (userNamespace) await chown(join(fixture.dir, 'root'), 100_000, 100_000);
    const script = `${stty} size; readlink /proc/self/fd/0; readlink /proc/self/fd/2; echo to console > /dev/console;
      echo to tty > /dev/tty; read line; echo "read $line"; exit 3`;
    const container = await open(fixture, script, userNamespace);
    await container.shown('to tty');
    container.type('a word\r');
    expect(await container.exit).toMatchObject({ exitCode: 3 });
    container.close();
    const { stdout, stderr } = await fixture.output();
    expect(stdout).toBe(
      '24 80\r\n/dev/pts/0\r\n/dev/pts/0\r\nto console\r\nto tty\r\na word\r\nread a word\r\n',
    );
    expect(stderr).toBe('');
  });

  it('is told of a new size', async () => {
    await using fixture = await LaunchFixture.create();
    const container = await open(
      fixture,
      `trap '${stty} size; exit 0' WINCH; echo ready; while :; do sleep 0.1; done`,
    );
    await container.shown('ready');
    await resizeContainer(fixture.runDir, { height: 33, width: 111 });
    expect(await container.exit).toMatchObject({ exitCode: 0 });
    container.close();
    await container.shown('33 111');
  });

  it('Ctrl-C is the signal of the terminal', async () => {
    await using fixture = await LaunchFixture.create();
    // A signal between two commands is taken when the next one ends: a short one.
    const script = `trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done`;
    const container = await open(fixture, script);
    await container.shown('ready');
    container.type('\x03');
    expect(await container.exit).toMatchObject({ exitCode: 5 });
    container.close();
    await container.shown('caught');
  });

  it('takes more input than the terminal holds, while nobody reads, and gives every byte of output', async () => {
    await using fixture = await LaunchFixture.create();
    const lines = 20_000;
    const container = await open(
      fixture,
      `${stty} -echo -onlcr; echo ready; sleep 1; head -n ${lines} | /bin/busybox sha256sum; /bin/busybox seq ${lines}`,
    );
    await container.shown('ready');
    const text = Array.from({ length: lines }, (_, index) => `line ${index}\n`).join('');
    container.type(text);
    expect(await container.exit).toMatchObject({ exitCode: 0 });
    container.close();
    const { stdout } = await fixture.output();
    expect(stdout).toContain(createHash('sha256').update(text).digest('hex'));
    expect(stdout.endsWith(`\n${lines - 1}\n${lines}\n`)).toBe(true);
    expect(stdout.split('\n').length).toBe(lines + 3);
  });

  it('goes on when every process has closed it for a while', async () => {
    await using fixture = await LaunchFixture.create();
    const container = await open(
      fixture,
      'exec 3>/root-of-nothing 0<&- 1>&- 2>&-; sleep 0.3; echo again > /dev/console',
    );
    expect(await container.exit).toMatchObject({ exitCode: 0 });
    container.close();
    expect((await fixture.output()).stdout).toBe('again\r\n');
  });

  it('a start that fails behind the terminal names its step', async () => {
    await using fixture = await LaunchFixture.create();
    const request = fixture.request(['/nowhere'], { process: { terminal: true } });
    await expect(launch(request)).rejects.toMatchObject({ code: 'ENOENT', exitCode: 127 });
  });
});

describe.skipIf(whyNoLaunches !== undefined)(`a command with a terminal${titleSuffix}`, () => {
  async function run(
    script: string,
    use: (command: LaunchedExec, shown: (text: string) => Promise<void>) => void | Promise<void>,
  ) {
    await using fixture = await LaunchFixture.create();
    const target = await launch(fixture.request(['sleep', '60']));
    try {
      const command = await launchExec({
        target,
        cgroup: { v1Procs: [] },
        process: fixture.process(['sh', '-c', script], {
          terminal: true,
          consoleSize: { height: 24, width: 80 },
        }),
        openStdin: true,
      });
      let output = '';
      command.stdout.on('data', (data) => (output += data));
      const ended = once(command.stdout, 'end');
      await use(
        command,
        async (text) => await expect.poll(() => output, { timeout: 20_000 }).toContain(text),
      );
      const exit = await command.exited;
      await ended;
      command.stdin?.destroy();
      return { output, exit };
    } finally {
      process.kill(target.pid, 'SIGKILL');
      await watchExit(fixture.runDir);
    }
  }

  it('reads a line, hears of a new size, and is interrupted', async () => {
    const script = `${stty} size; read line; echo "read $line"; trap '${stty} size' WINCH; echo trap;
      trap 'echo caught; exit 5' INT; while :; do sleep 0.1; done`;
    const { output, exit } = await run(script, async ({ stdin, resize }, shown) => {
      await shown('24 80');
      stdin?.write('a word\r');
      await shown('trap');
      resize?.({ height: 33, width: 111 });
      await shown('33 111');
      stdin?.write('\x03');
    });
    expect(output).toBe('24 80\r\na word\r\nread a word\r\ntrap\r\n33 111\r\n^Ccaught\r\n');
    expect(exit).toMatchObject({ exitCode: 5 });
  });

  it('gives every byte of output to a reader that comes late, and the status behind it', async () => {
    const { output, exit } = await run(
      `${stty} -onlcr; /bin/busybox seq 100000; exit 7`,
      async ({ stdout }) => {
        stdout.pause();
        await sleep(500);
        stdout.resume();
      },
    );
    expect(exit).toMatchObject({ exitCode: 7 });
    expect(output.split('\n').length).toBe(100_001);
    expect(output.endsWith('\n100000\n')).toBe(true);
  });
});
