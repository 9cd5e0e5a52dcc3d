import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Log } from '../base/log.ts';
import type { Reply } from './call.ts';
import { toHttpFailure } from './http-errors.ts';
import { apiVersion, type Match, makeFinder, type RouteTable } from './router.ts';
import { takeBody } from './upgrade-body.ts';

export interface ServerOptions {
  readonly routes: RouteTable;
  readonly log: Log;
  readonly version: string;
  /** Aborted when the daemon ends: open streams end. */
  readonly signal: AbortSignal;
}

/** The HTTP side of the API. Not listening yet. */
export function makeServer({ routes, log, version, signal }: ServerOptions): Server {
  const find = makeFinder(routes);

  async function answer(request: IncomingMessage, response: ServerResponse, socket?: Duplex): Promise<void> {
    const began = performance.now();
    const { method = 'GET', url = '/' } = request;
    const gone = new AbortController();
    // After a whole answer nobody waits for that any more.
    response.once('close', () => {
      if (!response.writableFinished) gone.abort(new Error('the client has left'));
    });
    socket?.once('close', () => gone.abort(new Error('the client has left')));
    for (const [name, value] of Object.entries(fixedHeaders(version))) response.setHeader(name, value);
    let failure: string | undefined;
    try {
      const match: Match = await find(method, url);
      const call = {
        request,
        response,
        params: match.params,
        query: match.query,
        signal: AbortSignal.any([gone.signal, signal]),
        socket,
      };
      send(response, await match.handle(call));
    } catch (error) {
      failure = sendFailure(response, error, gone.signal.aborted);
      if (response.statusCode >= 500) log.error('request failed', { method, url, error });
    }
    log.debug('request', {
      method,
      url,
      status: response.statusCode,
      ms: (performance.now() - began).toFixed(1),
      error: failure,
    });
  }

  const server = createServer((request, response) => void answer(request, response));
  // A wait or a followed log has no end of its own, and a load takes as long as it takes.
  server.requestTimeout = 0;
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    // The types want a net.Socket; an upgraded connection is one.
    response.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0]);
    response.once('finish', () => {
      response.detachSocket(socket as Parameters<ServerResponse['detachSocket']>[0]);
      socket.end();
    });
    const whole = takeBody(request, socket, head);
    void whole.then(
      (withBody) => answer(withBody, response, socket),
      () => socket.destroy(),
    );
  });
  return server;
}

function fixedHeaders(version: string): Readonly<Record<string, string>> {
  return { 'Api-Version': apiVersion, Ostype: 'linux', Server: `hull/${version} (linux)` };
}

function send(response: ServerResponse, reply: Reply): void {
  if (reply === undefined) return;
  if ('json' in reply) {
    response.writeHead(reply.status ?? 200, { 'Content-Type': 'application/json' });
    response.end(`${JSON.stringify(reply.json)}\n`);
    return;
  }
  response.writeHead(
    reply.status,
    reply.text === undefined ? {} : { 'Content-Type': 'text/plain; charset=utf-8' },
  );
  response.end(reply.text);
}

/** Answers the text of the failure. After the headers only cutting the stream tells the client. */
function sendFailure(response: ServerResponse, error: unknown, clientGone: boolean): string {
  const { status, message } = toHttpFailure(error);
  if (response.headersSent || clientGone) {
    response.destroy();
  } else if (status === 304) {
    response.writeHead(304).end();
  } else {
    send(response, { status, json: { message } });
  }
  return message;
}
