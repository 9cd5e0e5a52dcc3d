import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { encodeProgram } from '../../launch/encode.ts';
import { readOrigin } from '../artefact.ts';
import type { OciFixture } from '../oci-fixture.ts';
import { describeOciForm } from '../oci-suite.ts';
import { compileClient } from './compile-client.ts';
import { keyLength } from './protocol.ts';

const hull = join(import.meta.dirname, '../../bin/hull-oci');

describeOciForm('a resident process', 'stand-alone', (fixture) => {
  const residents: ChildProcess[] = [];
  afterEach(async () => {
    for (const each of residents.splice(0)) await end(each, 'SIGKILL');
  });

  it('serves its own user alone, says so where one serves already, and takes its socket away', async () => {
    const { socket, resident } = await serve(fixture());
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect(await fixture().command(hull, 'resident', '--socket', socket)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('another resident does'),
    });
    await end(resident, 'SIGTERM');
    expect(existsSync(socket)).toBe(false);
    expect(resident.exitCode).toBe(0);
  });

  it('makes the call, and not the stand-alone form', async () => {
    const f = fixture();
    const { client } = await serve(f, { alone: '/nonexistent' });
    await f.configure(['sh', '-c', 'echo $PPID; exit 3']);
    expect(await f.command(client, '--root', f.root, 'run', f.id())).toMatchObject({
      code: 3,
      stdout: '0\n',
      stderr: '',
    });
  });

  it('leaves what only a process of its own can do to the stand-alone form', async () => {
    const f = fixture();
    const { client } = await serve(f, { alone: speaker(f) });
    const alone = async (...args: readonly string[]) => (await f.command(client, ...args)).stdout;
    expect(await alone('--version')).toBe('--version\n');
    expect(await alone('--root', f.root, 'list', '-q')).toBe(`--root ${f.root} list -q\n`);
    await f.configure(['true'], { hooks: { poststop: [{ path: '/bin/true' }] } });
    expect(await alone('--root', f.root, 'run', f.id())).toContain('run');
    // In another mount namespace the same path may be another file.
    const { stdout } = spawnSync('unshare', ['--mount', client, '--root', f.root, 'state', 'x'], {
      encoding: 'utf8',
    });
    expect(stdout).toBe(`--root ${f.root} state x\n`);
    const sockets = { ...process.env, LISTEN_FDS: '1' };
    expect(spawnSync(client, ['state', 'x'], { encoding: 'utf8', env: sockets }).stdout).toBe('state x\n');
  });

  it('hands on all arguments and the environment to the stand-alone form where nobody serves', async () => {
    const f = fixture();
    const client = join(f.dir, 'client');
    writeClient(client, { socket: join(f.dir, 'nobody.sock'), key: 'k'.repeat(keyLength), alone: '/bin/sh' });
    const { stdout } = spawnSync(client, ['-c', 'echo "$# $2 $WORD"', 'a', '', 'b c'], {
      encoding: 'utf8',
      env: { WORD: 'word' },
    });
    expect(stdout).toBe('2 b c word\n');
  });

  it('is passed over by clients of another version', async () => {
    const f = fixture();
    const { socket } = await serve(f);
    const client = join(f.dir, 'other');
    writeClient(client, { socket, key: 'f'.repeat(keyLength), alone: speaker(f) });
    expect((await f.command(client, 'state', 'x')).stdout).toBe('state x\n');
  });

  it('that is killed in the middle of a call is told of by the client, with a status', async () => {
    const f = fixture();
    const { client, resident } = await serve(f);
    await f.configure(['sleep', '100']);
    const id = f.id();
    const call = f.command(client, '--root', f.root, 'run', id);
    while ((await f.status(id).catch(() => 'none')) !== 'running') await sleep(20);
    await end(resident, 'SIGKILL');
    expect(await f.oci('delete', '--force', id)).toMatchObject({ code: 0, stderr: '' });
    // Not before: the container has the client's streams.
    expect(await call).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the resident process ended in the middle of this call'),
    });
    // Its socket is still there: the next resident takes the place over.
    await serve(f);
  });

  it('undoes a call whose client is killed before the container is made', async () => {
    const f = fixture();
    const { socket, client } = await serve(f);
    await f.configure(['true']);
    const call = spawn(client, ['--root', f.root, 'run', f.id()], { cwd: f.dir, stdio: 'ignore' });
    call.kill('SIGKILL');
    await once(call, 'exit');
    await expect.poll(() => f.left(), { timeout: 10_000 }).toEqual([]);
    expect(existsSync(socket)).toBe(true);
  });

  it('hands signals on, and the command has the caller as its parent', async () => {
    const f = fixture();
    const { client } = await serve(f);
    await f.configure(['sh', '-c', 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done']);
    const call = spawn(client, ['--root', f.root, 'run', f.id()], {
      cwd: f.dir,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(call.stdout, 'data');
    const { stdout } = spawnSync('ps', ['-o', 'comm=', '--ppid', String(call.pid)], { encoding: 'utf8' });
    expect(stdout).toBe('sh\n');
    call.kill('SIGTERM');
    expect(await once(call, 'exit')).toEqual([9, null]);
  });

  it('ends when it has had nothing to do for so long', async () => {
    const { resident } = await serve(fixture(), { idle: '0.1' });
    const [code] = await once(resident, 'exit');
    expect(code).toBe(0);
  });

  it('survives connections that say nothing, too much, or nonsense', async () => {
    const f = fixture();
    const { socket, client } = await serve(f);
    const script = `
      import socket, os
      for data in [b'', b'x', b'hulloci1' + b'0' * 16, os.urandom(100000)]:
          s = socket.socket(socket.AF_UNIX); s.connect(${JSON.stringify(socket)})
          try:
              s.send(data); s.settimeout(3); s.recv(1)
          except OSError: pass
          s.close()`.replaceAll('\n      ', '\n');
    expect(spawnSync('python3', ['-c', script], { encoding: 'utf8' })).toMatchObject({ status: 0 });
    await f.configure(['true']);
    expect(await f.command(client, '--root', f.root, 'run', f.id())).toMatchObject({ code: 0 });
  });

  it('believes nothing that a folder says which is not the caller’s own in /proc', async () => {
    const f = fixture();
    const { socket, client } = await serve(f);
    const { key } = readOrigin(artefactOf(client));
    const script = `
      import socket, os, sys
      def answer(folder):
          s = socket.socket(socket.AF_UNIX); s.connect(${JSON.stringify(socket)})
          fd = os.open(folder, os.O_RDONLY)
          socket.send_fds(s, [b'hulloci1${key}'], [fd])
          s.settimeout(5)
          print(len(s.recv(32)))
      answer('/proc/self'); answer('/proc/%d' % os.getppid()); answer('${f.dir}')`.replaceAll(
      '\n      ',
      '\n',
    );
    expect(spawnSync('python3', ['-c', script], { encoding: 'utf8' }).stdout).toBe('32\n0\n0\n');
  });

  async function serve(f: OciFixture, { alone, idle = '0' }: { alone?: string; idle?: string } = {}) {
    const socket = join(f.dir, 'r.sock');
    const client = join(f.dir, 'client');
    const args = ['resident', '--socket', socket, '--client', client, '--idle', idle];
    // One that was killed has left its own.
    const before = existsSync(socket) ? statSync(socket).ctimeMs : 0;
    const resident = spawn(hull, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    residents.push(resident);
    while (!existsSync(socket) || statSync(socket).ctimeMs === before) await sleep(10);
    if (alone !== undefined) {
      const { key } = readOrigin(artefactOf(client));
      writeClient(client, { socket, key, alone });
    }
    return { socket, client, resident };
  }
});

/** Says its arguments. */
function speaker(f: OciFixture): string {
  const file = join(f.dir, 'speaker');
  writeFileSync(file, '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
  return file;
}

function writeClient(file: string, request: Parameters<typeof compileClient>[0]): void {
  writeFileSync(file, encodeProgram(compileClient(request)), { mode: 0o755 });
}

/** The folder that a client's stand-alone form is in. */
function artefactOf(client: string): string {
  const alone = /[^\0]+\/alone(?=\0)/.exec(readFileSync(client, 'latin1'))?.[0] ?? '';
  return join(alone, '..');
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}
