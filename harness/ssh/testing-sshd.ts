import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair } from './generate-key-pair.ts';
import type { SshAddress } from './ssh.ts';

export const sshdProgram = '/usr/sbin/sshd';

export interface TestSshd extends AsyncDisposable {
  readonly address: SshAddress;
  readonly directory: string;
  /** Cuts every connection, as a dead host does with a reset. */
  cut(): void;
  /** Nothing passes any more and nothing is closed, as behind a hung host. */
  freeze(): void;
}

/**
 * A real sshd for tests, one process per connection (`sshd -i`) behind a listener of ours: the port is asked for with
 * 0, and the test can cut or freeze the connection in between.
 */
export async function startTestSshd(): Promise<TestSshd> {
  const directory = await mkdtemp(join(tmpdir(), 'seatrial-sshd-'));
  const key = generateKeyPair();
  const hostKey = generateKeyPair();
  const path = (name: string) => join(directory, name);
  await writeFile(path('id'), key.privateKey, { mode: 0o600 });
  await writeFile(path('host'), hostKey.privateKey, { mode: 0o600 });
  await writeFile(path('authorized_keys'), key.publicKey, { mode: 0o600 });
  await writeFile(
    path('config'),
    `HostKey ${path('host')}\nAuthorizedKeysFile ${path('authorized_keys')}\nStrictModes no\nUsePAM no
PermitRootLogin prohibit-password\nMaxSessions 200\nPidFile none\n`,
  );
  await chmod(directory, 0o755);
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true });
  const sockets = new Set<Socket>();
  const daemons = new Set<ReturnType<typeof spawn>>();
  let frozen = false;
  const server = createServer((socket) => {
    const daemon = spawn(sshdProgram, ['-i', '-e', '-f', path('config')], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    sockets.add(socket);
    daemons.add(daemon);
    socket.on('data', (data) => frozen || daemon.stdin.write(data));
    daemon.stdout.on('data', (data) => frozen || socket.write(data));
    daemon.stdin.on('error', () => {});
    socket.on('error', () => {});
    socket.on('close', () => daemon.kill());
    daemon.on('exit', () => {
      daemons.delete(daemon);
      socket.end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error(`Cannot start sshd: bound to ${bound}`);
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    address: {
      host: '127.0.0.1',
      port: bound.port,
      username: userInfo().username,
      privateKeyPath: path('id'),
    },
    directory,
    cut,
    freeze: () => {
      frozen = true;
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      cut();
      for (const daemon of daemons) daemon.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
