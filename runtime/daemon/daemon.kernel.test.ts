import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon, testImage, whyNoDaemon } from './daemon-fixture.ts';

const reason = whyNoDaemon();
const client = await execa('docker', ['--version'], { reject: false });

for (const driver of ['overlay', 'vfs']) {
  describe.skipIf(reason !== '')(`hull daemon on ${driver}${reason && ` (skipped: ${reason})`}`, () => {
    let daemon: TestDaemon;
    let docker: Docker;

    beforeAll(async () => {
      daemon = await TestDaemon.start(driver);
      docker = daemon.docker;
      await daemon.loadImage();
    });
    afterEach(async () => {
      if (daemon.pid === 0) await daemon.up();
      for (const { Id } of await docker.listContainers({ all: true })) {
        await docker.getContainer(Id).remove({ force: true });
      }
      expect(await daemon.leftovers()).toEqual([]);
    });
    afterAll(async () => {
      await daemon[Symbol.asyncDispose]();
      expect(await daemon.kernelLeftovers()).toEqual([]);
    });

    const create = async (Cmd: string[], more: Docker.ContainerCreateOptions = {}) =>
      await docker.createContainer({ Image: testImage, Cmd, ...more });
    const forever = ['sh', '-c', 'trap "exit 5" TERM; while :; do echo tick; sleep 0.1; done'];
    const logsOf = async (container: Docker.Container, more: object = {}) =>
      demultiplex(await container.logs({ stdout: true, stderr: true, ...more, follow: false }));
    const statusOf = async (call: Promise<unknown>) =>
      await call.then(
        () => 200,
        (error: { statusCode: number }) => error.statusCode,
      );

    test.each([
      [['sh', '-c', 'exit 0'], 0],
      [['sh', '-c', 'exit 42'], 42],
      [['sh', '-c', 'exit 255'], 255],
    ])('%j ends with its own exit code', async (command, code) => {
      const container = await create(command);
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
      const container = await create([command]);
      await expect(container.start()).rejects.toMatchObject({
        statusCode: 400,
        message: expect.stringMatching(/step \d+ of \d+/),
      });
      expect((await container.inspect()).State).toMatchObject({ Status: 'created', ExitCode: code });
      expect(await daemon.kernelLeftovers()).toEqual([]);
    });

    test('output is kept, by stream, with its times and its end', async () => {
      const container = await create(['sh', '-c', 'echo one; echo two >&2; echo three; printf open']);
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
      const polite = await create(forever);
      await polite.start();
      await sleep(300);
      await polite.stop({ t: 10 });
      expect((await polite.inspect()).State.ExitCode).toBe(5);
      const stubborn = await create(['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done']);
      await stubborn.start();
      const began = Date.now();
      await Promise.all([stubborn.stop({ t: 1 }), stubborn.stop({ t: 1 })]);
      expect(Date.now() - began).toBeGreaterThan(900);
      expect((await stubborn.inspect()).State.ExitCode).toBe(137);
      expect(await statusOf(stubborn.stop())).toBe(304);
    });

    test('exec runs beside the first process, with its own streams, user and exit code', async () => {
      const container = await create(forever);
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
      expect(await statusOf(run(['no-such-command']))).toBe(400);
      await container.stop({ t: 1 });
      expect(await statusOf(run(['true']))).toBe(409);
    });

    test('verbs that do not fit the state are refused and change nothing', async () => {
      const container = await create(forever, { name: 'taken' });
      expect(await statusOf(create(['true'], { name: 'taken' }))).toBe(409);
      expect(await statusOf(container.kill())).toBe(409);
      expect(await statusOf(container.stop())).toBe(304);
      await container.start();
      expect(await statusOf(container.start())).toBe(304);
      expect(await statusOf(container.remove())).toBe(409);
      expect(await statusOf(container.kill({ signal: 'SIGNONSENSE' }))).toBe(400);
      expect(await statusOf(docker.getContainer('nobody').inspect())).toBe(404);
      expect(await statusOf(create(['true'], { HostConfig: { NetworkMode: 'bridge' } }))).toBe(501);
      expect(await statusOf(create(['true'], { HostConfig: { Memory: 1024 } }))).toBe(400);
      expect((await container.inspect()).State.Running).toBe(true);
      await container.rename({ name: 'other' });
      expect((await docker.getContainer('other').inspect()).Name).toBe('/other');
      expect(await statusOf(docker.getContainer('taken').inspect())).toBe(404);
    });

    test('a paused container is frozen; a kill gets through', async () => {
      const container = await create(forever);
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
      const failing = await create(['sh', '-c', 'exit 3'], {
        HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
      });
      await failing.start();
      await until(async () => (await failing.inspect()).RestartCount === 2);
      await until(async () => (await failing.inspect()).State.Status === 'exited');
      expect((await failing.inspect()).State.ExitCode).toBe(3);
      const always = await create(['true'], { HostConfig: { RestartPolicy: { Name: 'always' } } });
      await always.start();
      await until(async () => (await always.inspect()).RestartCount > 1);
      await always.stop();
      expect((await always.inspect()).State.Status).toBe('exited');
    });

    test('a container that removes itself is gone when the wait for it ends', async () => {
      const container = await create(['true'], { HostConfig: { AutoRemove: true } });
      const waiting = container.wait({ condition: 'removed' });
      await container.start();
      expect(await waiting).toMatchObject({ StatusCode: 0 });
      expect(await statusOf(container.inspect())).toBe(404);
    });

    test('limits, binds, tmpfs and a read-only root reach the container', async () => {
      const shared = join(daemon.folder, 'shared');
      await mkdir(shared);
      await writeFile(join(shared, 'in'), 'from the host');
      const script =
        'cat /shared/in; echo out > /shared/out; echo x > /t/x && echo " tmpfs"; touch /no || echo " ro"';
      const container = await create(['sh', '-c', script], {
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

    test('SIGKILL of the daemon: the container goes on and is taken over', async () => {
      const container = await create(forever, { name: 'survivor' });
      await container.start();
      const { Pid } = (await container.inspect()).State;
      await daemon.kill();
      const before = (await readFile(await logPath(container.id), 'latin1')).length;
      await sleep(500);
      expect((await readFile(await logPath(container.id), 'latin1')).length).toBeGreaterThan(before);
      await daemon.up();
      expect((await container.inspect()).State).toMatchObject({ Running: true, Pid });
      const waiting = container.wait();
      await container.stop({ t: 10 });
      expect(await waiting).toMatchObject({ StatusCode: 5 });
      await container.start();
      expect((await container.inspect()).State.Pid).not.toBe(Pid);
      await container.remove({ force: true });
      expect(await daemon.leftovers()).toEqual([]);
    });

    test('what ended while the daemon was dead is known with its code and time', async () => {
      const container = await create(['sh', '-c', 'sleep 0.5; exit 17']);
      const killed = await create(forever);
      const removing = await create(['sleep', '0.5'], { HostConfig: { AutoRemove: true } });
      for (const one of [container, killed, removing]) await one.start();
      const { Pid } = (await killed.inspect()).State;
      await daemon.kill();
      process.kill(Pid, 'SIGKILL');
      await sleep(800);
      const restarted = Date.now();
      await daemon.up();
      const { State } = await container.inspect();
      expect(State).toMatchObject({ Status: 'exited', ExitCode: 17 });
      expect(Date.parse(State.FinishedAt)).toBeLessThan(restarted);
      expect((await killed.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 137 });
      expect(await statusOf(removing.inspect())).toBe(404);
      await container.start();
      expect(await container.wait()).toMatchObject({ StatusCode: 17 });
    });

    test('a lost monitor: the container is killed and says so', async () => {
      const container = await create(forever);
      await container.start();
      const { Pid } = (await container.inspect()).State;
      const monitor = Number(/^PPid:\s+(\d+)/m.exec(await readFile(`/proc/${Pid}/status`, 'utf8'))?.[1]);
      expect(monitor).toBeGreaterThan(1);
      process.kill(monitor, 'SIGKILL');
      expect(await container.wait()).toMatchObject({ StatusCode: 137 });
      expect((await container.inspect()).State.Error).toMatch(/monitor lost/);
      expect(await daemon.kernelLeftovers()).toEqual([]);
    });

    test('a held root: the end is recorded, the holder named until it goes, then everything works', async () => {
      const container = await create(['sleep', '1000']);
      await container.start();
      const { Pid } = (await container.inspect()).State;
      const holder = spawn('nsenter', ['-t', String(Pid), '-m', '/bin/sleep', '1000']);
      try {
        await until(async () => (await readFile(`/proc/${holder.pid}/comm`, 'utf8')) === 'sleep\n');
        await container.stop({ t: 0 });
        expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 137 });
        const named = new RegExp(`${holder.pid}.*sleep|sleep.*${holder.pid}`);
        await expect(container.start()).rejects.toMatchObject({
          statusCode: 409,
          message: expect.stringMatching(named),
        });
        await expect(container.remove()).rejects.toMatchObject({
          statusCode: 409,
          message: expect.stringMatching(named),
        });
        expect((await container.inspect()).State).toMatchObject({
          Status: 'exited',
          Error: expect.stringMatching(named),
        });
        await daemon.kill();
        await daemon.up();
        await expect(container.start()).rejects.toMatchObject({
          statusCode: 409,
          message: expect.stringMatching(named),
        });
      } finally {
        holder.kill('SIGKILL');
        await once(holder, 'exit');
      }
      await container.start();
      await container.remove({ force: true });
    });

    test('SIGKILL of the daemon at any moment of a start or a stop leaves something that works', async () => {
      for (let delay = 0; delay < 60; delay += 6) {
        const container = await create(forever);
        const starting = container.start().catch(() => undefined);
        await sleep(delay);
        await daemon.kill();
        await starting;
        await daemon.up();
        const state = (await container.inspect()).State;
        if (!state.Running) await container.start();
        const stopping = container.stop({ t: 5 }).catch(() => undefined);
        await sleep(delay * 2);
        await daemon.kill();
        await stopping;
        await daemon.up();
        await container.stop({ t: 5 }).catch(() => undefined);
        expect((await container.inspect()).State.Running).toBe(false);
        await container.start();
        await container.remove({ force: true });
        expect(await daemon.leftovers()).toEqual([]);
      }
    }, 240_000);

    test('a damaged record: listed as dead and removable, the others unharmed', async () => {
      const good = await create(['true'], { name: 'good' });
      const bad = await create(['true'], { name: 'bad' });
      await daemon.kill();
      await writeFile(join(daemon.dataRoot, 'containers', bad.id, 'container.json'), '{"format": 1, "id');
      await daemon.up();
      const { State } = await docker.getContainer(bad.id).inspect();
      expect(State).toMatchObject({ Status: 'dead', Dead: true });
      expect(State.Error).toMatch(/can only be removed/);
      expect(await statusOf(docker.getContainer(bad.id).start())).toBe(409);
      await good.start();
      expect(await good.wait()).toMatchObject({ StatusCode: 0 });
      await docker.getContainer(bad.id).remove();
      expect(await statusOf(docker.getContainer(bad.id).inspect())).toBe(404);
    });

    test('SIGTERM stops the containers, unmounts everything and takes socket and pidfile away', async () => {
      const container = await create(forever);
      await container.start();
      expect(await readFile(join(daemon.folder, 'pid'), 'utf8')).toBe(`${daemon.pid}\n`);
      expect(await daemon.stop()).toBe(0);
      expect(await daemon.kernelLeftovers()).toEqual([]);
      await expect(readFile(join(daemon.folder, 'pid'))).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(readFile(daemon.socketPath)).rejects.toMatchObject({ code: 'ENOENT' });
      await daemon.up();
      expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 5 });
    });

    test('a second daemon on the same data root is refused and harms nothing', async () => {
      const container = await create(forever);
      await container.start();
      const second = daemon.launch('-H', `unix://${join(daemon.folder, 'second.sock')}`);
      const code = await new Promise((resolve) => second.once('exit', resolve));
      expect(code).toBe(1);
      expect(await daemon.log()).toContain(`process ${daemon.pid} `);
      expect((await container.inspect()).State.Running).toBe(true);
    });

    test.skipIf(client.failed)(
      `docker run, exec and logs with the real client${client.failed ? ' (skipped: no docker client)' : ''}`,
      async () => {
        const run = async (args: string[], input = '') =>
          await execa('docker', ['-H', `unix://${daemon.socketPath}`, ...args], {
            reject: false,
            input,
            timeout: 20_000,
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
        expect((await run(['logs', 'cli'])).stdout).toContain('tick');
        expect((await run(['ps', '--format', '{{.Names}}'])).stdout).toBe('cli');
        expect((await run(['rm', '-f', 'cli'])).exitCode).toBe(0);
        expect((await run(['images', '-q'])).stdout).not.toBe('');
        expect((await run(['info', '--format', '{{.Driver}}'])).stdout).toBe(driver);
      },
    );

    async function logPath(id: string): Promise<string> {
      return join(daemon.dataRoot, 'containers', id, 'log');
    }
  });
}

function demultiplex(bytes: Buffer): { stdout: string; stderr: string } {
  const found = { 1: '', 2: '' };
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    found[bytes[at] === 1 ? 1 : 2] += bytes.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return { stdout: found[1], stderr: found[2] };
}

async function demultiplexStream(stream: NodeJS.ReadableStream): Promise<{ stdout: string; stderr: string }> {
  const through = new PassThrough();
  stream.pipe(through);
  const chunks: Buffer[] = [];
  for await (const chunk of through) chunks.push(chunk);
  return demultiplex(Buffer.concat(chunks));
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await reached()); await sleep(30)) {
    if (Date.now() > deadline) throw new Error(`not reached within 20 s: ${reached}`);
  }
}
