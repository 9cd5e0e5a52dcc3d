import { createInterface } from 'node:readline';
import type { Ssh } from '../../harness/ssh/ssh.ts';

/** Runs the command to its end, its output and errors line by line; answers its exit status. */
export async function follow(
  ssh: Ssh,
  argv: readonly string[],
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<number | undefined> {
  signal.throwIfAborted();
  await using command = await ssh.spawn(['sh', '-c', 'exec "$@" 2>&1 </dev/null', 'follow', ...argv]);
  command.exited.catch(() => {});
  const lines = createInterface({ input: command.stdio });
  // Not by the stream: readline goes on waiting for lines when its input is destroyed.
  const stop = () => lines.close();
  signal.addEventListener('abort', stop, { once: true });
  command.stderr.resume();
  try {
    for await (const line of lines) onLine(line);
    signal.throwIfAborted();
    return (await command.exited).exitCode;
  } finally {
    signal.removeEventListener('abort', stop);
    signal.throwIfAborted();
  }
}
