import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { testImage } from './daemon-fixture.ts';
import { describeDaemon, forever, logsOf, statusOf, until } from './daemon-suite.ts';

const client = await execa('docker', ['--version'], { reject: false });

for (const driver of ['overlay', 'vfs']) {
  describeDaemon(`hull daemon on ${driver}`, { driver }, (world) => {
    test('a damaged record: listed as dead and removable, the others unharmed', async () => {
      const good = await world.create(['true'], { name: 'good' });
      const bad = await world.create(['true'], { name: 'bad' });
      await world.daemon.kill();
      await writeFile(
        join(world.daemon.dataRoot, 'containers', bad.id, 'container.json'),
        '{"format": 1, "id',
      );
      await world.daemon.up();
      const { State } = await world.docker.getContainer(bad.id).inspect();
      expect(State).toMatchObject({ Status: 'dead', Dead: true });
      expect(State.Error).toMatch(/can only be removed/);
      expect(await statusOf(world.docker.getContainer(bad.id).start())).toBe(409);
      await good.start();
      expect(await good.wait()).toMatchObject({ StatusCode: 0 });
      await world.docker.getContainer(bad.id).remove();
      expect(await statusOf(world.docker.getContainer(bad.id).inspect())).toBe(404);
    });

    test('SIGTERM stops the containers, unmounts everything and takes socket and pidfile away', async () => {
      const container = await world.create(forever);
      await container.start();
      // Before its trap the shell, as the first process, takes no SIGTERM.
      await until(async () => (await logsOf(container)).stdout.includes('tick'));
      expect(await readFile(join(world.daemon.folder, 'pid'), 'utf8')).toBe(`${world.daemon.pid}\n`);
      expect(await world.daemon.stop()).toBe(0);
      expect(await world.daemon.kernelLeftovers()).toEqual([]);
      await expect(readFile(join(world.daemon.folder, 'pid'))).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(readFile(world.daemon.socketPath)).rejects.toMatchObject({ code: 'ENOENT' });
      await world.daemon.up();
      expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 5 });
    });

    test('a second daemon on the same data root is refused and harms nothing', async () => {
      const container = await world.create(forever);
      await container.start();
      const second = world.daemon.launch('-H', `unix://${join(world.daemon.folder, 'second.sock')}`);
      const code = await new Promise((resolve) => second.once('exit', resolve));
      expect(code).toBe(1);
      expect(await world.daemon.log()).toContain(`process ${world.daemon.pid} `);
      expect((await container.inspect()).State.Running).toBe(true);
    });

    test.skipIf(client.failed)(
      `docker run, exec and logs with the real client${client.failed ? ' (skipped: no docker client)' : ''}`,
      async () => {
        const run = async (args: string[], input = '') =>
          await execa('docker', ['-H', `unix://${world.daemon.socketPath}`, ...args], {
            reject: false,
            input,
            timeout: 120_000,
            killSignal: 'SIGKILL',
          });
        expect(
          await run(['run', '--rm', testImage, 'sh', '-c', 'echo hi; echo oops >&2; exit 4']),
        ).toMatchObject({
          stdout: 'hi',
          stderr: expect.stringContaining('oops'),
          exitCode: 4,
        });
        expect((await run(['run', '--rm', testImage, 'nonsense'])).exitCode).toBe(127);
        expect((await run(['run', '--rm', testImage, '/plain'])).exitCode).toBe(126);
        expect((await run(['run', '--rm', '--network', 'bridge', testImage, 'true'])).exitCode).toBe(125);
        expect((await run(['run', '-i', '--rm', testImage, 'cat'], 'through stdin')).stdout).toBe(
          'through stdin',
        );
        const later = ['sh', '-c', 'cat; sleep 0.3; echo; echo later'];
        expect((await run(['run', '-i', '--rm', testImage, ...later], 'input')).stdout).toBe('input\nlater');
        expect((await run(['run', '-d', '--name', 'cli', testImage, ...forever])).exitCode).toBe(0);
        expect((await run(['exec', '-i', 'cli', 'cat'], 'through exec')).stdout).toBe('through exec');
        expect((await run(['exec', 'cli', 'sh', '-c', 'exit 6'])).exitCode).toBe(6);
        for (const [command, exitCode] of [
          ['no-such-command', 127],
          ['/plain', 126],
        ] as const) {
          expect(await run(['exec', 'cli', command])).toMatchObject({
            exitCode,
            stderr: expect.stringMatching(/Cannot run .* step \d+ of \d+/),
          });
        }
        expect(
          await run(['run', '--rm', '--pull', 'never', '--platform', 'linux/s390x', testImage, 'true']),
        ).toMatchObject({
          exitCode: 125,
          stderr: expect.stringContaining('does not match the specified platform (linux/s390x)'),
        });
        const shared = await run(['run', '--rm', '--network', 'host', testImage, 'hostname']);
        expect(shared.stdout).toBe(hostname());
        expect((await run(['logs', 'cli'])).stdout).toContain('tick');
        expect((await run(['ps', '--format', '{{.Names}}'])).stdout).toBe('cli');
        expect((await run(['rm', '-f', 'cli'])).exitCode).toBe(0);
        expect((await run(['images', '-q'])).stdout).not.toBe('');
        expect((await run(['info', '--format', '{{.Driver}}'])).stdout).toBe(driver);
      },
    );
  });
}
