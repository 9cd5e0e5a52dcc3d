import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RegistryTiming } from './timing.ts';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

/** For tests: a server on a free port of 127.0.0.1 that remembers what it was asked. */
export class TestServer implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  readonly host: string;
  readonly #close: () => void;

  private constructor(port: number, close: () => void) {
    this.host = `127.0.0.1:${port}`;
    this.#close = close;
  }

  static async start(
    answer: (request: IncomingMessage, response: ServerResponse, server: TestServer) => unknown,
  ): Promise<TestServer> {
    let self: TestServer | undefined;
    const server = createServer((request, response) => {
      if (!self) return;
      self.seen.push({
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
      });
      void answer(request, response, self);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    // Listening on TCP it has an address of this shape.
    const { port } = server.address() as AddressInfo;
    self = new TestServer(port, () => {
      server.closeAllConnections();
      server.close();
    });
    return self;
  }

  url(path: string): URL {
    return new URL(path, `http://${this.host}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }
}

export const quickTiming: RegistryTiming = {
  // Longer than a busy machine keeps a server of the test from answering.
  stallMs: 1000,
  attempts: 3,
  retryFirstMs: 1,
  retryMaxMs: 5,
  progressMs: 0,
};
