import { closeSync, readSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReadStream } from 'node:tty';
import { codeOf } from '../base/errors.ts';
import { takeDescriptor } from '../sys/pidfd.ts';
import { resizeTerminal, stopBlocking } from '../sys/terminal.ts';

/** More than the kernel keeps of what was written to a terminal (640 kB), so all that is older than the first look is in it. */
const mostLeft = 1 << 20;

/**
 * Our own terminal, raw, and the container's, whose master is `master` and ours from now on: input, output and size. `end`, after the
 * command has ended, copies what that has written; what others who have the terminal open write afterwards is not waited for.
 */
export function copyTerminal(master: number): { end(): Promise<void> } {
  const { stdin, stdout } = process;
  stopBlocking(master);
  // Node closes the one it reads from when nobody has the other side open. The command may open it again, and would get SIGHUP.
  const theirs = new ReadStream(takeDescriptor(process.pid, master));
  const resize = () => {
    if (stdout.isTTY) resizeTerminal(master, stdout.rows, stdout.columns);
  };
  if (stdin.isTTY) stdin.setRawMode(true);
  resize();
  process.on('SIGWINCH', resize);
  let over = false;
  stdin.on('data', async (data: Buffer) => {
    // Node would wait in write(2) until the command reads, and copy nothing meanwhile.
    stdin.pause();
    for (let rest = data; rest.length > 0 && !over; ) {
      const written = writeSome(master, rest);
      rest = rest.subarray(written);
      if (written === 0) await sleep(10);
    }
    if (!over) stdin.resume();
  });
  let readerIsGone = false;
  const show = (data: Uint8Array) => {
    if (readerIsGone || stdout.write(data)) return;
    theirs.pause();
    stdout.once('drain', () => theirs.resume());
  };
  // That is no reason to end the command, nor to let it wait.
  stdout.on('error', () => {
    readerIsGone = true;
    theirs.resume();
  });
  theirs.on('data', show);
  theirs.on('error', () => {});
  return {
    async end() {
      over = true;
      process.off('SIGWINCH', resize);
      const rest = [...waiting(theirs), ...left(master)];
      theirs.destroy();
      closeSync(master);
      if (!readerIsGone) await new Promise<void>((done) => stdout.write(Buffer.concat(rest), () => done()));
      if (stdin.isTTY) stdin.setRawMode(false);
      stdin.pause();
    },
  };
}

/** What Node has read and not given us yet. */
function waiting(stream: ReadStream): readonly Uint8Array[] {
  stream.pause();
  const chunk: Uint8Array | null = stream.read();
  return chunk === null ? [] : [chunk, ...waiting(stream)];
}

/** What the kernel has. */
function left(master: number): readonly Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let size = 0; size < mostLeft; ) {
    const chunk = readSome(master);
    if (chunk.length === 0) break;
    chunks.push(chunk);
    size += chunk.length;
  }
  return chunks;
}

/** Nothing where nothing is there now (EAGAIN), or nobody has the other side open (EIO). */
function readSome(master: number): Buffer {
  const data = Buffer.alloc(65536);
  try {
    return data.subarray(0, readSync(master, data));
  } catch (error) {
    if (codeOf(error) === 'EAGAIN' || codeOf(error) === 'EIO') return Buffer.alloc(0);
    throw error;
  }
}

/** How much of it the terminal takes now; with nobody on the other side it is lost. */
function writeSome(master: number, data: Buffer): number {
  try {
    return writeSync(master, data);
  } catch (error) {
    if (codeOf(error) === 'EAGAIN') return 0;
    if (codeOf(error) === 'EIO') return data.length;
    throw error;
  }
}
