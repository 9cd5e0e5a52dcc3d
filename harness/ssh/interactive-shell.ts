import type { ReadStream, WriteStream } from 'node:tty';
import type { Client, ClientChannel, PseudoTtyOptions } from 'ssh2';

/** Whose hands a shell is in: this process's own streams. Without a terminal the input is a script. */
export interface ShellUser {
  readonly stdin: Pick<ReadStream, 'isTTY' | 'setRawMode' | 'pipe' | 'unpipe' | 'pause'>;
  readonly stdout: Pick<WriteStream, 'columns' | 'rows' | 'on' | 'off'> & NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/** The login shell on the host, until it or `signal` ends it. Answers its exit status; undefined where it had none. */
export async function interactiveShell(
  client: Client,
  user: ShellUser,
  signal?: AbortSignal,
): Promise<number | undefined> {
  const { stdin, stdout, stderr } = user;
  const isTerminal = stdin.isTTY === true;
  const { channel, exited } = await open(
    client,
    isTerminal ? { ...sizeOf(stdout), term: terminal() } : false,
  );
  const resize = () => {
    const { rows, cols, height, width } = sizeOf(stdout);
    channel.setWindow(rows, cols, height, width);
  };
  const end = () => channel.close();
  if (signal?.aborted) end();
  signal?.addEventListener('abort', end);
  channel.pipe(stdout, { end: false });
  channel.stderr.pipe(stderr, { end: false });
  if (isTerminal) {
    stdin.setRawMode(true);
    stdout.on('resize', resize);
  }
  stdin.pipe(channel);
  try {
    return await exited;
  } finally {
    signal?.removeEventListener('abort', end);
    stdin.unpipe(channel);
    stdin.pause();
    stdout.off('resize', resize);
    if (isTerminal) stdin.setRawMode(false);
  }
}

interface Opened {
  readonly channel: ClientChannel;
  readonly exited: Promise<number | undefined>;
}

function open(client: Client, window: PseudoTtyOptions | false): Promise<Opened> {
  return new Promise((resolve, reject) => {
    client.shell(window, (error, channel) => {
      if (error) return reject(new Error(`Cannot open a shell: ${error.message}`, { cause: error }));
      const exited = new Promise<number | undefined>((ended) => {
        let status: number | undefined;
        channel.on('exit', (code: number | null) => {
          status = code ?? undefined;
        });
        channel.on('close', () => ended(status));
      });
      resolve({ channel, exited });
    });
  });
}

function sizeOf({ columns, rows }: ShellUser['stdout']) {
  return { cols: columns || 80, rows: rows || 24, width: 0, height: 0 };
}

function terminal(): string {
  return process.env['TERM'] || 'vt100';
}
