import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { demultiplex, describeDaemon, forever, logsOf, statusOf, until } from './daemon-suite.ts';

for (const driver of ['overlay', 'vfs']) {
  describeDaemon(`containers on ${driver}`, { driver }, (world) => {
    test.each([
      [['sh', '-c', 'exit 0'], 0],
      [['sh', '-c', 'exit 42'], 42],
      [['sh', '-c', 'exit 255'], 255],
    ])('%j ends with its own exit code', async (command, code) => {
      const container = await world.create(command);
      const waiting = container.wait({ condition: 'next-exit' });
      await container.start();
      expect(await waiting).toMatchObject({ StatusCode: code });
      const { State } = await container.inspect();
      expect(State).toMatchObject({ Status: 'exited', Running: false, Pid: 0, Error: '' });
      expect(Date.parse(State.FinishedAt)).toBeGreaterThanOrEqual(Date.parse(State.StartedAt));
    });

    test.each([
      ['no-such-command', 127],
      ['/plain', 126],
    ])('%s cannot be started: the state says %i, and the error which step', async (command, code) => {
      const container = await world.create([command]);
      await expect(container.start()).rejects.toMatchObject({
        statusCode: 400,
        message: expect.stringMatching(/step \d+ of \d+/),
      });
      expect((await container.inspect()).State).toMatchObject({ Status: 'created', ExitCode: code });
      expect(await world.daemon.kernelLeftovers()).toEqual([]);
    });

    test('output is kept, by stream, with its times and its end', async () => {
      const container = await world.create(['sh', '-c', 'echo one; echo two >&2; echo three; printf open']);
      await container.start();
      await container.wait();
      expect(await logsOf(container)).toEqual({ stdout: 'one\nthree\nopen', stderr: 'two\n' });
      expect(await logsOf(container, { tail: 2, stderr: false })).toEqual({
        stdout: 'three\nopen',
        stderr: '',
      });
      const { stdout } = await logsOf(container, { timestamps: true });
      expect(stdout.split('\n')[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z one$/);
      expect((await logsOf(container, { since: Math.floor(Date.now() / 1000) + 60 })).stdout).toBe('');
    });

    test('stop sends SIGTERM, and SIGKILL when the grace is over', async () => {
      const polite = await world.create(forever);
      await polite.start();
      await sleep(300);
      await polite.stop({ t: 10 });
      expect((await polite.inspect()).State.ExitCode).toBe(5);
      const stubborn = await world.create(['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done']);
      await stubborn.start();
      const began = Date.now();
      await Promise.all([stubborn.stop({ t: 1 }), stubborn.stop({ t: 1 })]);
      expect(Date.now() - began).toBeGreaterThan(900);
      expect((await stubborn.inspect()).State.ExitCode).toBe(137);
      expect(await statusOf(stubborn.stop())).toBe(304);
    });

    test('exec runs beside the first process, with its own streams, user and exit code', async () => {
      const container = await world.create(forever);
      await container.start();
      const run = async (Cmd: string[], more: object = {}) => {
        const exec = await container.exec({ Cmd, AttachStdout: true, AttachStderr: true, ...more });
        const output = await demultiplexStream(await exec.start({ hijack: true, stdin: false }));
        return { ...output, code: (await exec.inspect()).ExitCode };
      };
      expect(await run(['sh', '-c', 'echo out; echo err >&2; exit 9'])).toEqual({
        stdout: 'out\n',
        stderr: 'err\n',
        code: 9,
      });
      expect((await run(['id'], { User: 'sailor' })).stdout).toBe(
        'uid=1000(sailor) gid=1000 groups=500(crew)\n',
      );
      expect((await run(['sh', '-c', 'echo $A $FROM_IMAGE'], { Env: ['A=b'] })).stdout).toBe('b yes\n');
      // A client that takes the connection over is told there, as by Docker.
      expect(await run(['no-such-command'])).toEqual({
        stdout: '',
        stderr: expect.stringMatching(/Cannot run "no-such-command": ENOENT.*\r\n$/),
        code: 127,
      });
      const detached = await container.exec({ Cmd: ['no-such-command'] });
      expect(await statusOf(detached.start({ Detach: true }))).toBe(400);
      await container.stop({ t: 1 });
      expect(await statusOf(run(['true']))).toBe(409);
    });

    test('verbs that do not fit the state are refused and change nothing', async () => {
      const container = await world.create(forever, { name: 'taken' });
      expect(await statusOf(world.create(['true'], { name: 'taken' }))).toBe(409);
      expect(await statusOf(container.kill())).toBe(409);
      expect(await statusOf(container.stop())).toBe(304);
      await container.start();
      expect(await statusOf(container.start())).toBe(304);
      expect(await statusOf(container.remove())).toBe(409);
      expect(await statusOf(container.kill({ signal: 'SIGNONSENSE' }))).toBe(400);
      expect(await statusOf(world.docker.getContainer('nobody').inspect())).toBe(404);
      expect(await statusOf(world.create(['true'], { HostConfig: { NetworkMode: 'bridge' } }))).toBe(501);
      expect(await statusOf(world.create(['true'], { HostConfig: { Memory: 1024 } }))).toBe(400);
      expect((await container.inspect()).State.Running).toBe(true);
      await container.rename({ name: 'other' });
      expect((await world.docker.getContainer('other').inspect()).Name).toBe('/other');
      expect(await statusOf(world.docker.getContainer('taken').inspect())).toBe(404);
    });

    test('a paused container is frozen; a kill gets through', async () => {
      const container = await world.create(forever);
      await container.start();
      await container.pause();
      await sleep(300);
      const before = (await logsOf(container)).stdout;
      await sleep(500);
      expect((await logsOf(container)).stdout).toBe(before);
      expect((await container.inspect()).State).toMatchObject({ Status: 'paused', Paused: true });
      await container.unpause();
      await sleep(500);
      expect((await logsOf(container)).stdout.length).toBeGreaterThan(before.length);
      await container.pause();
      await container.remove({ force: true });
    });

    test('an automatic restart counts, backs off, and ends with a stop', async () => {
      const failing = await world.create(['sh', '-c', 'exit 3'], {
        HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
      });
      await failing.start();
      await until(async () => (await failing.inspect()).RestartCount === 2);
      // In one look: the run before the last restart has ended too.
      await until(async () => {
        const { Status, ExitCode } = (await failing.inspect()).State;
        return Status === 'exited' && ExitCode === 3;
      });
      const always = await world.create(['true'], { HostConfig: { RestartPolicy: { Name: 'always' } } });
      await always.start();
      await until(async () => (await always.inspect()).RestartCount > 1);
      await always.stop();
      expect((await always.inspect()).State.Status).toBe('exited');
    });

    test('a container that removes itself is gone when the wait for it ends', async () => {
      const container = await world.create(['true'], { HostConfig: { AutoRemove: true } });
      const waiting = container.wait({ condition: 'removed' });
      await container.start();
      expect(await waiting).toMatchObject({ StatusCode: 0 });
      expect(await statusOf(container.inspect())).toBe(404);
    });

    test('limits, binds, tmpfs and a read-only root reach the container', async () => {
      const shared = join(world.daemon.folder, 'shared');
      await mkdir(shared);
      await writeFile(join(shared, 'in'), 'from the host');
      const script =
        'cat /shared/in; echo out > /shared/out; echo x > /t/x && echo " tmpfs"; touch /no || echo " ro"';
      const container = await world.create(['sh', '-c', script], {
        HostConfig: {
          Binds: [`${shared}:/shared`],
          Tmpfs: { '/t': 'size=1m' },
          ReadonlyRootfs: true,
          Memory: 64 * 1024 * 1024,
          PidsLimit: 32,
        },
      });
      await container.start();
      await container.wait();
      expect((await logsOf(container)).stdout).toBe('from the host tmpfs\n ro\n');
      expect(await readFile(join(shared, 'out'), 'utf8')).toBe('out\n');
      await rm(shared, { recursive: true });
    });
  });
}

async function demultiplexStream(stream: NodeJS.ReadableStream): Promise<{ stdout: string; stderr: string }> {
  const through = new PassThrough();
  stream.pipe(through);
  const chunks: Buffer[] = [];
  for await (const chunk of through) chunks.push(chunk);
  return demultiplex(Buffer.concat(chunks));
}
