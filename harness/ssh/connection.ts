import { Buffer } from 'node:buffer';
import { readFile as readLocal, stat } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import type { Client } from 'ssh2';
import { describeAddress, SshCommandError, SshConnectionError } from './errors.ts';
import { forwardUnix } from './forward-unix.ts';
import { interactiveShell, type ShellUser } from './interactive-shell.ts';
import { RemoteCommand } from './remote-command.ts';
import type { Ssh, SshAddress, SshFileOptions, SshProcess, SshResult, SshRunOptions } from './ssh.ts';

// The size is compared because a connection that is cut looks like the end of the input to `cat`.
const replaceFile = `set -e; mkdir -p "$(dirname "$1")"; t="$1.seatrial-$$"
trap 'rm -f "$t"' EXIT; (umask 077; cat > "$t"); found=$(stat -c %s "$t")
[ "$found" = "$2" ] || { echo "found $found bytes, wanted $2" >&2; exit 1; }
chmod "$3" "$t"; mv -fT "$t" "$1"`;

/** The Ssh over a client that is ready. The client belongs to it from now on. */
export function openConnection(client: Client, address: SshAddress): Ssh {
  return new Connection(client, address);
}

class Connection implements Ssh {
  readonly lost: AbortSignal;
  readonly #client: Client;
  readonly #name: string;
  readonly #lost = new AbortController();
  readonly #ended = new AbortController();
  readonly #forwards = new Set<AsyncDisposable>();

  constructor(client: Client, address: SshAddress) {
    this.#client = client;
    this.#name = describeAddress(address);
    this.lost = this.#lost.signal;
    client.removeAllListeners('error');
    client.on('error', (error) => this.#lose(error));
    client.on('close', () => this.#lose(undefined));
  }

  async run(argv: readonly string[], options: SshRunOptions = {}): Promise<SshResult> {
    const { signal, timeoutMs, input } = options;
    signal?.throwIfAborted();
    const started = performance.now();
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    const command = await this.#start(argv, (chunk) => stderr.push(chunk));
    command.channel.on('data', (chunk: Buffer) => stdout.push(chunk));
    command.channel.end(input);
    let timedOut = false;
    const expire = () => {
      timedOut = true;
      void command.kill();
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs);
    const abort = () => void command.kill();
    signal?.addEventListener('abort', abort);
    // Aborted while the channel was being opened.
    if (signal?.aborted) abort();
    try {
      const exit = await command.exited;
      signal?.throwIfAborted();
      const durationMs = performance.now() - started;
      return { argv, stdout: text(stdout), stderr: text(stderr), ...exit, timedOut, durationMs };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  async ok(argv: readonly string[], options?: SshRunOptions): Promise<string> {
    const result = await this.run(argv, options);
    if (result.exitCode !== 0 || result.timedOut) throw new SshCommandError(result);
    return result.stdout;
  }

  async spawn(argv: readonly string[]): Promise<SshProcess> {
    const stderr = new PassThrough();
    const command = await this.#start(argv, (chunk) => stderr.write(chunk));
    const end = () => stderr.end();
    command.exited.then(end, end);
    return {
      stdio: command.channel,
      stderr,
      exited: command.exited,
      kill: (signal = 'TERM') => void command.signal(signal).catch(() => {}),
      [Symbol.asyncDispose]: async () => {
        command.channel.resume();
        command.channel.end();
        await command.kill();
      },
    };
  }

  async upload(localPath: string, remotePath: string, options: SshFileOptions = {}): Promise<void> {
    const mode = options.mode ?? (await stat(localPath)).mode & 0o777;
    await this.writeFile(remotePath, await readLocal(localPath), { ...options, mode });
  }

  async writeFile(
    remotePath: string,
    data: string | Uint8Array,
    { mode = 0o644, signal }: SshFileOptions = {},
  ): Promise<void> {
    const input = typeof data === 'string' ? Buffer.from(data) : data;
    const argv = ['sh', '-c', replaceFile, 'sh', remotePath, String(input.length), mode.toString(8)];
    await this.ok(argv, { input, ...(signal ? { signal } : {}) });
  }

  async shell(user: ShellUser, signal?: AbortSignal): Promise<number | undefined> {
    this.#ended.signal.throwIfAborted();
    return interactiveShell(this.#client, user, signal);
  }

  async readFile(remotePath: string): Promise<string> {
    return this.ok(['cat', '--', remotePath]);
  }

  async forwardUnix(remoteSocket: string, localSocket: string): Promise<AsyncDisposable> {
    const forward = await forwardUnix(this.#client, remoteSocket, localSocket);
    this.#forwards.add(forward);
    return {
      [Symbol.asyncDispose]: async () => {
        this.#forwards.delete(forward);
        await forward[Symbol.asyncDispose]();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended.signal.aborted) {
      this.#ended.abort(new SshConnectionError(`Connection to ${this.#name} was closed by this side`));
    }
    await Promise.all([...this.#forwards].map((forward) => forward[Symbol.asyncDispose]()));
    this.#forwards.clear();
    this.#client.end();
    this.#client.destroy();
  }

  #lose(cause: Error | undefined): void {
    if (this.#ended.signal.aborted) return;
    const error = new SshConnectionError(
      `Connection to ${this.#name} was lost: ${cause?.message ?? 'closed by the host'}`,
      cause,
    );
    this.#ended.abort(error);
    this.#lost.abort(error);
    this.#client.destroy();
  }

  async #start(argv: readonly string[], onStderr: (chunk: Buffer) => void): Promise<RemoteCommand> {
    const ended = this.#ended.signal;
    ended.throwIfAborted();
    try {
      return await RemoteCommand.start(this.#client, argv, { ended, onStderr });
    } catch (error) {
      ended.throwIfAborted();
      const words = error instanceof Error ? error.message : String(error);
      throw new SshConnectionError(`${words} (${this.#name})`, error);
    }
  }
}

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8');
}
