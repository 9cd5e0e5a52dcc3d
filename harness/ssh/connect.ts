import { readFile } from 'node:fs/promises';
import { connect as connectSocket, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2, { type Client, type ConnectConfig } from 'ssh2';
import { openConnection } from './connection.ts';
import { describeAddress, SshConnectionError } from './errors.ts';
import type { Ssh, SshAddress } from './ssh.ts';

export interface ConnectOptions {
  readonly signal?: AbortSignal;
  /** How long to try: a host that boots refuses or ignores connections first. */
  readonly deadlineMs?: number;
  /** A silent host is given up after `intervalMs × count`. A closed connection is noticed at once. */
  readonly keepalive?: { readonly intervalMs: number; readonly count: number };
}

// Cheap under emulation: no AES without its instructions, no NIST curves, no RSA.
const algorithms: NonNullable<ConnectConfig['algorithms']> = {
  kex: ['curve25519-sha256', 'ecdh-sha2-nistp256', 'diffie-hellman-group14-sha256'],
  serverHostKey: ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256'],
  cipher: ['aes128-gcm@openssh.com', 'aes128-ctr', 'chacha20-poly1305@openssh.com'],
};
const attemptEveryMs = 1000;
const maxAttempts = 8;
const bannerWaitMs = 5000;
const retryMs = 100;

/**
 * Connects as soon as the host answers, and no later than the deadline (default 30 s): a refused, reset or silent
 * connection is tried again. Errors: SshConnectionError; the signal's reason. A refused key is final, not retried.
 */
export async function connectSsh(address: SshAddress, options: ConnectOptions = {}): Promise<Ssh> {
  const { deadlineMs = 30_000, keepalive = { intervalMs: 4000, count: 5 } } = options;
  const timeUp = AbortSignal.timeout(deadlineMs);
  const signal = options.signal ? AbortSignal.any([options.signal, timeUp]) : timeUp;
  const privateKey = await readPrivateKey(address.privateKeyPath);
  let last: unknown;
  while (!signal.aborted) {
    try {
      const socket = await answeringSocket(address, signal);
      const client = await handshake(socket, signal, {
        username: address.username,
        privateKey,
        algorithms,
        keepaliveInterval: keepalive.intervalMs,
        keepaliveCountMax: keepalive.count,
        // The deadline is the signal's.
        readyTimeout: 0,
      });
      return openConnection(client, address);
    } catch (error) {
      last = signal.aborted ? (last ?? error) : error;
      if (isFinal(error)) break;
      await sleep(retryMs, undefined, { signal }).catch(() => {});
    }
  }
  options.signal?.throwIfAborted();
  const waited = signal.aborted ? ` within ${deadlineMs / 1000} s` : '';
  const why = last instanceof Error ? last.message : 'no answer';
  throw new SshConnectionError(`Cannot connect to ${describeAddress(address)}${waited}: ${why}`, last);
}

async function readPrivateKey(path: string): Promise<string> {
  const text = await readFile(path, 'utf8');
  const key = ssh2.utils.parseKey(text);
  if (key instanceof Error)
    throw new SshConnectionError(`Cannot read the private key ${path}: ${key.message}`, key);
  if (!key.isPrivateKey())
    throw new SshConnectionError(`Cannot connect with ${path}: a public key, wanted a private one`);
  return text;
}

/**
 * A socket whose far side has said `SSH-`. The emulator's port forward accepts connections that nobody in the guest
 * answers, and a busy guest takes seconds to answer one: so a new attempt starts every second, the older ones stay
 * open, and the first that answers wins.
 */
async function answeringSocket(address: SshAddress, signal: AbortSignal): Promise<Socket> {
  const done = new AbortController();
  const attempts: Promise<Socket>[] = [];
  let winner: Socket | undefined;
  try {
    for (let i = 0; i < maxAttempts; i++) {
      attempts.push(bannerOf(address, AbortSignal.any([signal, done.signal])));
      const answer = Promise.any(attempts);
      const wait = i + 1 < maxAttempts ? attemptEveryMs : bannerWaitMs;
      const found = await Promise.race([answer, sleep(wait, undefined, { signal })]);
      if (found) {
        winner = found;
        return found;
      }
    }
    throw new Error('no SSH banner');
  } catch (error) {
    if (signal.aborted) throw new Error('no SSH banner', { cause: error });
    // All attempts failed: the newest one tells how the host is now.
    throw error instanceof AggregateError ? error.errors.at(-1) : error;
  } finally {
    done.abort();
    for (const attempt of attempts) {
      attempt.then(
        (socket) => socket !== winner && socket.destroy(),
        () => {},
      );
    }
  }
}

async function bannerOf({ host, port }: SshAddress, signal: AbortSignal): Promise<Socket> {
  const socket = connectSocket({ host, port, noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort);
  const look = () => {
    const banner: Buffer | null = socket.read();
    if (!banner) return;
    // Before unshift, which makes the socket readable again.
    socket.off('readable', look);
    socket.unshift(banner);
    resolve(socket);
  };
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('connection closed before the SSH banner')));
  socket.on('readable', look);
  try {
    return await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    socket.removeAllListeners();
  }
}

async function handshake(socket: Socket, signal: AbortSignal, config: ConnectConfig): Promise<Client> {
  const client = new ssh2.Client();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort);
  client.on('ready', resolve);
  client.on('error', reject);
  client.on('close', () => reject(new Error('connection closed during the SSH handshake')));
  try {
    client.connect({ ...config, sock: socket });
    await promise;
  } catch (error) {
    // Without a listener a late error of the dropped client would end the process.
    client.on('error', () => {});
    client.destroy();
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
    client.removeAllListeners('ready');
    client.removeAllListeners('close');
  }
  return client;
}

function isFinal(error: unknown): boolean {
  return error instanceof Error && 'level' in error && error.level === 'client-authentication';
}
