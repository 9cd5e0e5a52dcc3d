import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectSsh } from './connect.ts';
import { SshCommandError, SshConnectionError } from './errors.ts';
import type { ShellUser } from './interactive-shell.ts';
import type { Ssh } from './ssh.ts';
import { sshdProgram, startTestSshd, type TestSshd } from './testing-sshd.ts';

const present = existsSync(sshdProgram);
const missing = present ? '' : ` (skipped: no ${sshdProgram} on this machine)`;

// The shell that sshd starts may read a slow profile.
describe.skipIf(!present)(`SSH against a real sshd${missing}`, { timeout: 30_000 }, () => {
  let sshd: TestSshd;
  let ssh: Ssh;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'seatrial-ssh-'));
    sshd = await startTestSshd();
    ssh = await connectSsh(sshd.address, { deadlineMs: 10_000 });
  });

  afterAll(async () => {
    await ssh?.[Symbol.asyncDispose]();
    await sshd?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  it('answers stdout, stderr and status of a command, and passes its arguments as they are', async () => {
    const script = 'cat; printf "%s|" "$@"; echo oops >&2; exit 3';
    const result = await ssh.run(['sh', '-c', script, 'sh', "it's", '', 'a b', '$HOME\n*'], { input: 'in-' });
    expect(result).toMatchObject({
      stdout: "in-it's||a b|$HOME\n*|",
      stderr: 'oops\n',
      exitCode: 3,
      signal: undefined,
      timedOut: false,
    });
  });

  it('throws the whole result from ok()', async () => {
    const failure = await ssh.ok(['sh', '-c', 'echo out; echo why >&2; exit 4']).catch((error) => error);
    expect(failure).toBeInstanceOf(SshCommandError);
    expect(failure.message).toMatch(/^Cannot run sh -c .*: exit status 4, wanted 0: why$/);
    expect(failure.result).toMatchObject({ stdout: 'out\n', exitCode: 4 });
  });

  it('says which signal ended a command', async () => {
    expect(await ssh.run(['sh', '-c', 'kill -9 $$'])).toMatchObject({
      exitCode: undefined,
      signal: 'SIGKILL',
    });
  });

  it('kills a command and its children when its time is up', async () => {
    const result = await ssh.run(['sh', '-c', 'echo before; sleep 4711 & echo $!; wait'], { timeoutMs: 300 });
    expect(result).toMatchObject({ timedOut: true, signal: 'SIGTERM' });
    const [before, pid] = result.stdout.split('\n');
    expect(before).toBe('before');
    expect(
      existsSync(`/proc/${pid}/cmdline`) && (await readFile(`/proc/${pid}/cmdline`, 'utf8')),
    ).toBeFalsy();
  });

  it('kills a command that ignores SIGTERM', async () => {
    const result = await ssh.run(['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'], {
      timeoutMs: 100,
    });
    expect(result).toMatchObject({ timedOut: true, signal: 'SIGKILL' });
  });

  it('rejects with the reason of the signal and kills the command', async () => {
    const marker = join(directory, 'pid');
    const why = new Error('no longer wanted');
    const abort = new AbortController();
    const run = ssh.run(['sh', '-c', `echo $$ > ${marker}; sleep 4712`], { signal: abort.signal });
    while (!existsSync(marker)) await sleep(10);
    abort.abort(why);
    await expect(run).rejects.toBe(why);
    await expect(stat(`/proc/${(await readFile(marker, 'utf8')).trim()}`)).rejects.toThrow('ENOENT');
  });

  it('loses no byte and no result of 24 commands at once', async () => {
    const results = await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        ssh.run(['sh', '-c', `head -c ${i * 20_000} /dev/zero; exit ${i}`]),
      ),
    );
    expect(results.map((r) => [r.exitCode, r.stdout.length])).toEqual(results.map((_, i) => [i, i * 20_000]));
  });

  it('keeps the status of commands that end while this process is busy', async () => {
    const busy = setInterval(() => {
      const end = performance.now() + 400;
      while (performance.now() < end);
    }, 1);
    try {
      const results = await Promise.all(Array.from({ length: 8 }, () => ssh.run(['true'])));
      expect(results.map(({ exitCode }) => exitCode)).toEqual(results.map(() => 0));
    } finally {
      clearInterval(busy);
    }
  });

  it('puts the login shell into the hands of a script, or of a terminal of its size', async () => {
    for (const [isTTY, wanted] of [
      [false, /not a tty/],
      [true, /33 101/],
    ] as const) {
      const { user, out } = hands(Readable.from(['tty; stty size\nexit 7\n']), isTTY);
      expect(await ssh.shell(user)).toBe(7);
      expect(String(out.read())).toMatch(wanted);
    }
  });

  it('ends the login shell when it is told to', async () => {
    const { user, out } = hands(new PassThrough(), true);
    const told = new AbortController();
    const status = ssh.shell(user, told.signal);
    await once(out, 'readable');
    told.abort();
    expect(await status).toBeUndefined();
  });

  it('uploads a file with its mode, replacing it, and leaves no temporary file', async () => {
    const [local, remote] = [join(directory, 'local'), join(directory, 'new/folder/remote')];
    const content = 'x\0y'.repeat(500_000);
    await writeFile(local, content);
    await chmod(local, 0o751);
    await ssh.writeFile(remote, 'old');
    await ssh.upload(local, remote);
    expect(await readFile(remote, 'utf8')).toBe(content);
    expect((await stat(remote)).mode & 0o777).toBe(0o751);
    expect(await ssh.readFile(remote)).toBe(content);
    expect(await ssh.ok(['ls', '-A', join(directory, 'new/folder')])).toBe('remote\n');
  });

  it('talks to a long-lived command through its streams', async () => {
    await using cat = await ssh.spawn(['cat']);
    cat.stdio.write('hello\n');
    const [answer] = await once(cat.stdio, 'data');
    expect(String(answer)).toBe('hello\n');
    cat.stdio.end();
    expect(await cat.exited).toEqual({ exitCode: 0, signal: undefined });
  });

  it('forwards a unix socket, with half-closed connections, and removes its file', async () => {
    const [far, near] = [join(directory, 'far'), join(directory, 'near')];
    const server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
      socket.on('data', () => {});
      socket.on('end', () => socket.end('after your end'));
    });
    await new Promise<void>((resolve) => {
      server.listen(far, resolve);
    });
    try {
      const forward = await ssh.forwardUnix(far, near);
      const answers = await Promise.all(Array.from({ length: 50 }, () => ask(near)));
      expect(new Set(answers)).toEqual(new Set(['after your end']));
      await forward[Symbol.asyncDispose]();
      expect(existsSync(near)).toBe(false);
    } finally {
      server.close();
    }
  });

  it('closes a forwarded connection that the host refuses', async () => {
    await using _forward = await ssh.forwardUnix(join(directory, 'nobody'), join(directory, 'near2'));
    expect(await ask(join(directory, 'near2')).catch((error) => error.code ?? '')).toMatch(
      /^(|EPIPE|ECONNRESET)$/,
    );
  });

  it('ends every call with the reason when the connection is cut', async () => {
    await using other = await startTestSshd();
    await using cut = await connectSsh(other.address);
    const running = cut.run(['sleep', '60']);
    const spawned = await cut.spawn(['sleep', '60']);
    await sleep(100);
    other.cut();
    await expect(running).rejects.toThrow(SshConnectionError);
    await expect(spawned.exited).rejects.toThrow(/was lost/);
    expect(cut.lost.aborted).toBe(true);
    await expect(cut.run(['true'])).rejects.toThrow(/was lost/);
  });

  it('notices a host that fell silent', async () => {
    await using other = await startTestSshd();
    // Long enough for the handshake on a busy machine, which a shorter one would give up again and again.
    await using silent = await connectSsh(other.address, { keepalive: { intervalMs: 500, count: 4 } });
    const running = silent.run(['sleep', '60']);
    other.freeze();
    await expect(running).rejects.toThrow(/was lost: Keepalive timeout/);
    expect(silent.lost.aborted).toBe(true);
  });

  it('does not call a connection lost that this side closed', async () => {
    const own = await connectSsh(sshd.address);
    await own[Symbol.asyncDispose]();
    expect(own.lost.aborted).toBe(false);
    await expect(own.run(['true'])).rejects.toThrow(/closed by this side/);
  });

  it('gives up at the deadline and names what it saw', async () => {
    const mute = createServer(() => {});
    await new Promise<void>((resolve) => {
      mute.listen(0, '127.0.0.1', resolve);
    });
    const bound = mute.address();
    try {
      const port = typeof bound === 'object' && bound ? bound.port : 0;
      await expect(connectSsh({ ...sshd.address, port }, { deadlineMs: 1500 })).rejects.toThrow(
        /^Cannot connect to .*:\d+ within 1.5 s: no SSH banner$/,
      );
    } finally {
      mute.close();
    }
  });

  it('does not try again with a key that the host refuses', async () => {
    await using other = await startTestSshd();
    const { privateKeyPath } = other.address;
    // One that had tried until the deadline would say `within 20 s`.
    await expect(connectSsh({ ...sshd.address, privateKeyPath }, { deadlineMs: 20_000 })).rejects.toThrow(
      /^Cannot connect to \S+: .*authentication/,
    );
  });

  it('names a private key that cannot be read, before it connects', async () => {
    const path = (name: string) => join(sshd.directory, name);
    await writeFile(path('broken'), 'no key at all\n');
    const connectWith = (name: string) => connectSsh({ ...sshd.address, privateKeyPath: path(name) });
    await expect(connectWith('broken')).rejects.toThrow(
      `Cannot read the private key ${path('broken')}: Unsupported key format`,
    );
    await expect(connectWith('authorized_keys')).rejects.toThrow(
      `Cannot connect with ${path('authorized_keys')}: a public key, wanted a private one`,
    );
  });
});

async function ask(path: string): Promise<string> {
  const socket = createConnection({ path, allowHalfOpen: true });
  socket.end('question');
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer;
}

/** A shell's user: what they type, and what they see. */
function hands(input: Readable, isTTY: boolean) {
  const out = new PassThrough();
  const stdin = Object.assign(input, { isTTY, setRawMode: (_: boolean) => stdin });
  const stdout = Object.assign(out, { columns: 101, rows: 33 });
  return { user: { stdin, stdout, stderr: new PassThrough() } as unknown as ShellUser, out };
}
