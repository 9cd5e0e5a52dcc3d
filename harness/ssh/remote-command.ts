import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, ClientChannel } from 'ssh2';
import { quote } from './quote.ts';
import type { SshExit, SshSignal } from './ssh.ts';

/** How long a killed command may take to be gone: asked, then forced, then its channel is given up. */
const termGraceMs = 1000;
const killGraceMs = 5000;

/**
 * One command on the host and its channel. sshd does not pass signals on for root, so the shell says its pid as the
 * first line of stderr before it becomes the command; sshd made it the leader of a session and process group, which
 * a second command can kill.
 */
export class RemoteCommand {
  readonly channel: ClientChannel;
  /** When the channel is closed and its output was read; rejects with the end of the connection. */
  readonly exited: Promise<SshExit>;
  readonly #client: Client;
  readonly #pid: Promise<number | undefined>;

  private constructor(
    client: Client,
    channel: ClientChannel,
    exited: Promise<SshExit>,
    onStderr: (chunk: Buffer) => void,
  ) {
    this.#client = client;
    this.channel = channel;
    this.exited = exited;
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    this.#pid = promise;
    takeFirstLine(channel.stderr, (line) => resolve(Number(line) || undefined), onStderr);
    exited.then(
      () => resolve(undefined),
      () => resolve(undefined),
    );
    // A command that does not read all of its input closes early: EPIPE there is no error of ours.
    channel.on('error', () => {});
  }

  /** `ended` aborts with the connection. stderr flows from the start; stdout is the caller's to read. */
  static async start(
    client: Client,
    argv: readonly string[],
    { ended, onStderr }: { readonly ended: AbortSignal; readonly onStderr: (chunk: Buffer) => void },
  ): Promise<RemoteCommand> {
    const { channel, exit } = await untilAborted(ended, exec(client, `echo $$ >&2; exec ${quote(argv)}`));
    return new RemoteCommand(client, channel, untilAborted(ended, exit), onStderr);
  }

  /** Sends a signal to the command's process group. */
  async signal(name: SshSignal): Promise<void> {
    const pid = await this.#pid;
    if (pid === undefined) return;
    const { channel, exit } = await exec(this.#client, `kill -s ${name} -- -${pid}`);
    channel.resume();
    channel.stderr.resume();
    channel.end();
    await exit;
  }

  /** Afterwards the command is gone, or its channel was given up. Never throws. */
  async kill(): Promise<void> {
    const over = this.exited.then(
      () => true,
      () => true,
    );
    const within = (ms: number) => Promise.race([over, sleep(ms, false)]);
    if (await within(0)) return;
    for (const [name, graceMs] of [
      ['TERM', termGraceMs],
      ['KILL', killGraceMs],
    ] as const) {
      const sent = this.signal(name).catch(() => {});
      // A host that does not answer does not get the signal either.
      await Promise.race([over, sent, sleep(killGraceMs)]);
      if (await within(graceMs)) return;
    }
    // Something outside the process group still holds its output.
    this.channel.close();
    if (await within(termGraceMs)) return;
    this.channel.emit('close');
  }
}

interface Started {
  readonly channel: ClientChannel;
  readonly exit: Promise<SshExit>;
}

/** The exit is listened for at once: where one packet from a busy host holds a short command's start and end, it is told before any await returns. */
function exec(client: Client, command: string): Promise<Started> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error)
        reject(new Error(`Cannot start ${command.slice(0, 200)}: ${error.message}`, { cause: error }));
      else resolve({ channel, exit: exitOf(channel) });
    });
  });
}

function exitOf(channel: ClientChannel): Promise<SshExit> {
  return new Promise((resolve) => {
    let exit: SshExit = { exitCode: undefined, signal: undefined };
    channel.on('exit', (code: number | null, signal?: string) => {
      exit = { exitCode: code ?? undefined, signal: signal ? `SIG${signal.replace(/^SIG/, '')}` : undefined };
    });
    channel.on('close', () => {
      // Without an exit status the connection went first, and its reason is the better one: give it the turn.
      if (exit.exitCode === undefined && exit.signal === undefined) setImmediate(resolve, exit);
      else resolve(exit);
    });
  });
}

/** The promise, or a rejection with the signal's reason when that comes first. */
async function untilAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function takeFirstLine(
  stream: NodeJS.ReadableStream,
  onLine: (line: string) => void,
  onRest: (chunk: Buffer) => void,
): void {
  let head: Buffer | undefined = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    if (!head) return onRest(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\n');
    if (end < 0) return;
    onLine(head.toString('latin1', 0, end));
    if (end + 1 < head.length) onRest(head.subarray(end + 1));
    head = undefined;
  });
}
