import { chmodSync, closeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../../base/errors.ts';
import { ProgramCache } from '../../launch/program-cache.ts';
import { peerOf, receiveWithDescriptors } from '../../sys/unix-rights.ts';
import { OwnProcessNeeded } from '../caller.ts';
import { ociMain } from '../main.ts';
import { readClient, type Standing, standingOf } from './client-process.ts';
import { greeting, greetingSize } from './protocol.ts';
import { RemoteCaller } from './remote-caller.ts';
import { askOnChange } from './watch-sources.ts';

export interface ResidentOptions {
  readonly socket: string;
  /** The clients' that it serves. */
  readonly key: string;
  /** Ends after so long without a call; 0: never. */
  readonly idleMs: number;
  /** Files that this program was made of. */
  readonly sources: readonly string[];
  /** Whether it is still the program that a stand-alone call would run. */
  readonly isCurrent: () => boolean;
  readonly signal: AbortSignal;
}

const greetingPatienceMs = 1000;

/** Makes calls of the command line for others, until the signal or for want of calls. Throws EADDRINUSE where another one serves. */
export async function serveCalls(options: ResidentOptions): Promise<void> {
  const own = standingOf('/proc/self');
  const isCurrent = askOnChange(options.sources, options.isCurrent);
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const programs = new ProgramCache();
  let calls = 0;
  let idle = setTimeout(() => {}, 0);
  const rest = () => {
    clearTimeout(idle);
    if (calls === 0 && options.idleMs > 0) idle = setTimeout(end, options.idleMs);
  };
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    calls += 1;
    clearTimeout(idle);
    void serveOne(socket, own, { ...options, isCurrent, programs })
      .then((stay) => {
        if (!stay) end();
      })
      .catch(() => socket.destroy())
      .finally(() => {
        calls -= 1;
        rest();
      });
  });
  await listen(server, options.socket);
  options.signal.addEventListener('abort', () => end());
  if (options.signal.aborted) end();
  rest();
  await over;
  clearTimeout(idle);
  // Removes the socket: no new calls. Those under way are finished.
  await new Promise<void>((done) => server.close(() => done()));
}

async function listen(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    await new Promise<void>((done, failed) => server.once('error', failed).listen(path, () => done()));
    chmodSync(path, 0o600);
  } finally {
    process.umask(before);
  }
}

/** False where the resident is to end: it is no longer the program that it was started as. */
async function serveOne(
  socket: Socket,
  own: Standing,
  options: ResidentOptions & { readonly programs: ProgramCache },
): Promise<boolean> {
  const descriptor = descriptorOf(socket);
  const { uid, pid } = peerOf(descriptor);
  if (uid !== process.getuid?.()) {
    socket.destroy();
    return true;
  }
  const folder = await takeGreeting(descriptor, options.key);
  let client: ReturnType<typeof readClient>;
  try {
    client = readClient(folder, pid, own);
  } finally {
    closeSync(folder);
  }
  const caller = new RemoteCaller(socket, descriptor, client.cwd, options.programs);
  socket.resume();
  const current = options.isCurrent();
  // Sockets of the caller's activation, its manager's, and whatever else is not where we are, only it can hand on.
  const hasSockets = client.env.has('LISTEN_FDS') || client.env.has('NOTIFY_SOCKET');
  if (!current || client.foreign !== undefined || hasSockets) {
    caller.alone();
    return current;
  }
  try {
    caller.accept();
    caller.exit(await ociMain(client.args, caller));
  } catch (error) {
    if (!(error instanceof OwnProcessNeeded)) throw error;
    caller.alone();
  }
  return true;
}

/** The descriptor of the client's folder in /proc. */
async function takeGreeting(socket: number, key: string): Promise<number> {
  const data = Buffer.alloc(greetingSize);
  for (let waited = 0; ; waited += 1) {
    try {
      const { length, descriptors } = receiveWithDescriptors(socket, data, 1);
      const [folder, ...others] = descriptors;
      for (const fd of others) closeSync(fd);
      if (folder !== undefined && length === greetingSize && data.equals(greeting(key))) return folder;
      if (folder !== undefined) closeSync(folder);
      throw new Error('Cannot serve: found another greeting');
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN' || waited > greetingPatienceMs) throw error;
    }
    if (waited < 5) await new Promise<void>((done) => setImmediate(done));
    else await sleep(1);
  }
}

/** Node keeps it to itself; a connection without one is none. */
function descriptorOf(socket: Socket): number {
  const { _handle } = socket as unknown as { readonly _handle: { readonly fd: number } };
  return _handle.fd;
}
