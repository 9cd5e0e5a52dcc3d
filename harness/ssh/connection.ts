import { Buffer } from 'node:buffer';
import { readFile as readLocal, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, ClientChannel } from 'ssh2';
import { describeAddress, SshCommandError, SshConnectionError } from './errors.ts';
import { forwardUnix } from './forward-unix.ts';
import { quote } from './quote.ts';
import type {
  Ssh,
  SshAddress,
  SshExit,
  SshFileOptions,
  SshProcess,
  SshResult,
  SshRunOptions,
  SshSignal,
} from './ssh.ts';

/** How long a killed command may take to be gone: polite, then forced, then its channel is given up. */
const termGraceMs = 1000;
const killGraceMs = 5000;

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
    options.signal?.throwIfAborted();
    const started = performance.now();
    const channel = await this.#open(argv);
    const ended = this.#exitOf(channel);
    const stdout = collect(channel);
    const stderr = collect(channel.stderr);
    // A command that does not read all of its input closes early: EPIPE there is no error of ours.
    channel.on('error', () => {});
    channel.end(options.input);
    let timedOut = false;
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            void kill(channel, ended);
          }, options.timeoutMs);
    const abort = () => void kill(channel, ended);
    options.signal?.addEventListener('abort', abort);
    // Aborted while the channel was being opened.
    if (options.signal?.aborted) abort();
    try {
      const exit = await ended;
      options.signal?.throwIfAborted();
      const durationMs = performance.now() - started;
      return { argv, stdout: stdout(), stderr: stderr(), ...exit, timedOut, durationMs };
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', abort);
    }
  }

  async ok(argv: readonly string[], options?: SshRunOptions): Promise<string> {
    const result = await this.run(argv, options);
    if (result.exitCode !== 0 || result.timedOut) throw new SshCommandError(result);
    return result.stdout;
  }

  async spawn(argv: readonly string[]): Promise<SshProcess> {
    const channel = await this.#open(argv);
    const exited = this.#exitOf(channel);
    channel.on('error', () => {});
    exited.catch(() => {});
    return {
      stdio: channel,
      stderr: channel.stderr,
      exited,
      kill: (signal: SshSignal = 'TERM') => void channel.signal(signal),
      [Symbol.asyncDispose]: async () => {
        channel.resume();
        channel.stderr.resume();
        channel.end();
        await kill(channel, exited);
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

  #open(argv: readonly string[]): Promise<ClientChannel> {
    const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
    const command = quote(argv);
    this.#untilEnded(promise, reject);
    if (!this.#ended.signal.aborted) {
      this.#client.exec(command, (error, channel) => {
        if (!error) return resolve(channel);
        reject(
          new SshConnectionError(
            `Cannot start ${command.slice(0, 200)} on ${this.#name}: ${error.message}`,
            error,
          ),
        );
      });
    }
    return promise;
  }

  /** Settles when the channel is closed and its output was read, or rejects with the end of the connection. */
  #exitOf(channel: ClientChannel): Promise<SshExit> {
    const { promise, resolve, reject } = Promise.withResolvers<SshExit>();
    let exit: SshExit = { exitCode: undefined, signal: undefined };
    channel.on('exit', (code: number | null, signal?: string) => {
      exit = { exitCode: code ?? undefined, signal: signal ? `SIG${signal.replace(/^SIG/, '')}` : undefined };
    });
    channel.on('close', () => {
      // Without an exit status the connection went first, and its reason is the better one: give it the turn.
      if (exit.exitCode === undefined && exit.signal === undefined) setImmediate(resolve, exit);
      else resolve(exit);
    });
    this.#untilEnded(promise, reject);
    return promise;
  }

  #untilEnded(promise: Promise<unknown>, reject: (reason: unknown) => void): void {
    const { signal } = this.#ended;
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const end = () => reject(signal.reason);
    signal.addEventListener('abort', end);
    const forget = () => signal.removeEventListener('abort', end);
    promise.then(forget, forget);
  }
}

/** Afterwards the command is gone, or its channel was given up. sshd passes the signal to the whole process group. */
async function kill(channel: ClientChannel, ended: Promise<unknown>): Promise<void> {
  const over = ended.then(
    () => true,
    () => true,
  );
  const wait = (ms: number) => Promise.race([over, sleep(ms, false, { ref: false })]);
  if (await wait(0)) return;
  channel.signal('TERM');
  if (await wait(termGraceMs)) return;
  channel.signal('KILL');
  if (await wait(killGraceMs)) return;
  // Something outside the process group still holds its output.
  channel.close();
  channel.destroy();
  if (await wait(termGraceMs)) return;
  channel.emit('close');
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}
