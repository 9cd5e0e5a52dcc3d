import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { expect, test } from 'vitest';
import { isInstalled } from '../images/registry/registry-fixture.ts';
import { testImage } from './daemon-fixture.ts';
import { describeDaemon } from './daemon-suite.ts';

const stty = '/bin/busybox stty';
const noClient = !(await isInstalled('docker')) || !(await isInstalled('script'));

/** What somebody at a terminal sees, and types. */
class Terminal {
  readonly #stream: Duplex;
  readonly ended: Promise<unknown>;
  text = '';

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', (data) => (this.text += data));
    this.ended = once(stream, 'end');
  }

  type(text: string): void {
    this.#stream.write(text);
  }

  async shows(text: string): Promise<void> {
    await expect.poll(() => this.text, { timeout: 30_000 }).toContain(text);
  }

  close(): void {
    this.#stream.destroy();
  }
}

describeDaemon('terminals', {}, (world) => {
  async function create(script: string, more: Docker.ContainerCreateOptions = {}): Promise<Docker.Container> {
    return await world.daemon.docker.createContainer({
      Image: testImage,
      Cmd: ['sh', '-c', script],
      Tty: true,
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      ...more,
    });
  }

  async function attach(container: Docker.Container, options: object = {}): Promise<Terminal> {
    const all = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true };
    return new Terminal(
      (await container.attach({ ...all, ...options } as Docker.ContainerAttachOptions)) as Duplex,
    );
  }

  test('a container: raw output, input, sizes, TERM, and logs as they were shown', async () => {
    const script = `${stty} size; echo $TERM; echo oops >&2; read line; ${stty} size; exit 3`;
    const container = await create(script, { HostConfig: { ConsoleSize: [24, 80] } });
    const terminal = await attach(container);
    await container.start();
    await terminal.shows('oops');
    await container.resize({ h: 40, w: 132 });
    terminal.type('a line\r');
    expect(await container.wait()).toMatchObject({ StatusCode: 3 });
    await terminal.ended;
    const shown = '24 80\r\nxterm\r\noops\r\na line\r\n40 132\r\n';
    expect(terminal.text).toBe(shown);
    expect(String(await container.logs({ stdout: true }))).toBe(shown);
    expect(await container.inspect()).toMatchObject({
      Config: { Tty: true },
      HostConfig: { ConsoleSize: [24, 80] },
    });
    await expect(container.resize({ h: 1, w: 1 })).rejects.toMatchObject({ statusCode: 409 });
    await container.remove();
  });

  test('leaving it by the detach keys, and coming back after a crash of the daemon', async () => {
    const container = await create('while read line; do echo "got $line"; done; echo over');
    const first = await attach(container, { detachKeys: 'ctrl-x,x' });
    await container.start();
    first.type('one\r');
    await first.shows('got one');
    first.type('\x18x');
    await first.ended;
    expect((await container.inspect()).State.Running).toBe(true);
    await world.daemon.kill();
    await world.daemon.up();
    const second = await attach(container);
    second.type('two\r');
    await second.shows('got two');
    expect(second.text).not.toContain('one');
    // A client that is cut off is no end of input.
    second.close();
    const third = await attach(container, { logs: true });
    await third.shows('got one');
    third.type('\x04');
    await third.shows('over');
    expect(await container.wait()).toMatchObject({ StatusCode: 0 });
    await container.remove();
  });

  test('a command in a container: sizes, Ctrl-C, exit status; the detach keys leave it running', async () => {
    const container = await create('sleep 1000', { Tty: false, OpenStdin: false });
    await container.start();
    const run = async (script: string, detachKeys = '') => {
      const exec = await container.exec({
        Cmd: ['sh', '-c', script],
        ...{ Tty: true, AttachStdin: true, AttachStdout: true, AttachStderr: true, DetachKeys: detachKeys },
      });
      const stream = await exec.start({ hijack: true, stdin: true, Tty: true });
      return { exec, terminal: new Terminal(stream as Duplex) };
    };
    const { exec, terminal } = await run(
      `trap '${stty} size; exit 5' INT; echo $TERM ready; while :; do sleep 0.1; done`,
    );
    await terminal.shows('xterm ready');
    await exec.resize({ h: 33, w: 111 });
    terminal.type('\x03');
    await terminal.ended;
    expect(terminal.text).toBe('xterm ready\r\n^C33 111\r\n');
    expect(await exec.inspect()).toMatchObject({ Running: false, ExitCode: 5, ProcessConfig: { tty: true } });
    const left = await run('echo ready; sleep 1000', 'a,b');
    await left.terminal.shows('ready');
    left.terminal.type('ab');
    await left.terminal.ended;
    expect(await left.exec.inspect()).toMatchObject({ Running: true });
    await container.remove({ force: true });
  });

  test.each<[string, () => Promise<unknown>, number, RegExp]>([
    ['keys', async () => attach(await create('true'), { detachKeys: 'ctrl-1' }), 400, /Invalid detach keys/],
    [
      'a size',
      async () => (await create('true')).resize({ h: -1, w: 1 }),
      400,
      /query parameter h: found -1/,
    ],
    [
      'a size of a new container',
      async () => create('true', { HostConfig: { ConsoleSize: [-1, 0] } }),
      400,
      /ConsoleSize/,
    ],
  ])('%s that cannot be are refused', async (_, ask, statusCode, message) => {
    await expect(ask()).rejects.toMatchObject({ statusCode, message: expect.stringMatching(message) });
  });

  test.skipIf(noClient)(
    `docker run -it${noClient ? ' (skipped: no docker client or script)' : ''}`,
    async () => {
      const command = `docker -H unix://${world.daemon.socketPath} run --rm -it ${testImage} sh`;
      // script(1) gives the client a terminal; the answer to the shell's question for the cursor is what a terminal would say.
      const client = spawn('script', ['-qec', `stty rows 30 cols 100; ${command}`, '/dev/null'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      let text = '';
      client.stdout.on('data', (data) => (text += data));
      const ended = once(client, 'exit');
      await expect.poll(() => text, { timeout: 30_000 }).toContain('#');
      client.stdin.write(`${stty} size\r`);
      await expect.poll(() => text, { timeout: 30_000 }).toContain('30 100');
      client.stdin.write('sleep 1000\r');
      await expect.poll(() => text, { timeout: 30_000 }).toContain('sleep 1000');
      client.stdin.write('\x03');
      client.stdin.write('exit 6\r');
      expect((await ended)[0]).toBe(6);
    },
  );
});
