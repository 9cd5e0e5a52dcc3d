import { connect, type Socket } from 'node:net';
import Docker from 'dockerode';

/**
 * dockerode on a local unix socket, with two properties its transport lacks: a response that is cut in the middle fails
 * (it would never settle), and every call and stream of one scenario can be ended together and awaited.
 */
export class DockerClient {
  readonly docker: Docker;
  readonly #open = new Set<Socket>();
  #signal: AbortSignal;

  /** @param signal ends all calls, now and later; replaced for each scenario by `use`. */
  constructor(socketPath: string, signal: AbortSignal) {
    this.#signal = signal;
    // An explicit API version would only be a prefix on every path; engines answer to the bare one as well.
    this.docker = new Docker({ socketPath });
    const modem = modemOf(this.docker);
    const buildRequest = modem.buildRequest.bind(modem);
    modem.buildRequest = (options, context, data, callback) => {
      const call = new Call(callback, describe(options));
      if (this.#signal.aborted) return call.fail(this.#signal.reason);
      const connection = () => this.#connect(socketPath, call);
      // One connection per call: a kept one would be dead after a crash of the daemon and fail the next, innocent, call.
      buildRequest({ ...options, createConnection: connection }, context, data, call.settle);
    };
  }

  /** From now on calls belong to `signal`. */
  use(signal: AbortSignal): void {
    this.#signal = signal;
  }

  /** Ends every open call and stream; afterwards their connections are closed. */
  async endCalls(reason: Error): Promise<void> {
    await Promise.all(
      [...this.#open].map(
        (socket) =>
          new Promise<void>((resolve) => {
            socket.once('close', () => resolve());
            socket.destroy(reason);
          }),
      ),
    );
  }

  #connect(path: string, call: Call): Socket {
    const signal = this.#signal;
    const socket = connect(path);
    this.#open.add(socket);
    const abort = () => {
      call.fail(signal.reason);
      socket.destroy();
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.once('close', () => {
      this.#open.delete(socket);
      signal.removeEventListener('abort', abort);
      // The parser hands over the last bytes of a whole response after the socket's own close.
      setTimeout(() => call.fail(cutError(call.what)), 50).unref();
    });
    return socket;
  }
}

type Callback = (error: unknown, result?: unknown) => void;

/** One API call: the first end counts. */
class Call {
  readonly what: string;
  readonly #callback: Callback;
  #settled = false;

  constructor(callback: Callback, what: string) {
    this.#callback = callback;
    this.what = what;
  }

  readonly settle: Callback = (error, result) => {
    if (this.#settled) return;
    this.#settled = true;
    this.#callback(error, result);
  };

  fail(reason: unknown): void {
    this.settle(reason instanceof Error ? reason : new Error(String(reason)));
  }
}

/** The part of docker-modem that is wrapped; its types leave it out. */
interface Modem {
  buildRequest(options: RequestOptions, context: unknown, data: unknown, callback: Callback): void;
}

interface RequestOptions {
  readonly method?: string;
  readonly path?: string;
  readonly createConnection?: () => Socket;
}

function modemOf(docker: Docker): Modem {
  const modem: unknown = docker.modem;
  if (modem === null || typeof modem !== 'object' || !('buildRequest' in modem)) {
    throw new Error('Cannot wrap the Docker client: found no buildRequest in its modem');
  }
  return modem as Modem;
}

function describe({ method, path }: RequestOptions): string {
  return `${method ?? 'GET'} ${path ?? '/'}`;
}

function cutError(what: string): Error {
  return Object.assign(new Error(`Cannot finish ${what}: the connection was closed in the middle`), {
    code: 'ECONNRESET',
  });
}
