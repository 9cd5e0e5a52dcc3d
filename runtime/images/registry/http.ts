import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { errorText } from '../../base/log.ts';
import { RegistryError } from './registry-error.ts';
import type { RegistryTiming } from './timing.ts';

/** Its bytes can be asked for again: a request is repeated after a 401 or a redirect. */
export interface RequestBody {
  readonly length: number;
  readonly open: () => AsyncIterable<Uint8Array>;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Of the last request, after redirects. */
  readonly url: URL;
  /** Ends, or fails as `unavailable` where the connection is cut or stalls. Read it or destroy it. */
  readonly body: AsyncIterable<Uint8Array> & { readonly destroy: () => void };
}

export interface TlsSettings {
  /** The certificate is not looked at: only for registries named as insecure. */
  readonly insecure: boolean;
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

const mostRedirects = 5;
/** A body that brings less than this in one `stallMs` is as good as dead. */
const slowest = 1024;

/**
 * HTTP and HTTPS as a registry needs them: bounded waiting, redirects that never carry credentials to another server. Every failure below
 * HTTP is a RegistryError of kind `unavailable`; the status is the caller's. Proxies as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say.
 */
export class HttpClient implements Disposable {
  readonly #timing: RegistryTiming;
  readonly #insecure: boolean;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  constructor(timing: RegistryTiming, { insecure, ca, cert, key }: TlsSettings) {
    this.#timing = timing;
    this.#insecure = insecure;
    const shared = { keepAlive: true, proxyEnv: process.env };
    this.#http = new HttpAgent(shared);
    this.#https = new HttpsAgent({
      ...shared,
      rejectUnauthorized: !insecure,
      ...(ca && { ca: [...ca] }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    });
  }

  /** Follows redirects; `Authorization` goes only to the server the request names. */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    let { url, method, body } = request;
    let headers = request.headers ?? {};
    for (let hops = 0; ; hops++) {
      const answer = await this.#sendOnce({ ...request, url, method, headers, ...(body ? { body } : {}) });
      const location = answer.headers.location;
      if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return answer;
      answer.body.destroy();
      if (hops >= mostRedirects) {
        throw new RegistryError(
          `found more than ${mostRedirects} redirects, the last to ${JSON.stringify(location.split('?')[0])}, wanted an answer`,
          { kind: 'invalid' },
        );
      }
      const next = this.#checkRedirect(url, location);
      if (next.origin !== url.origin) headers = withoutCredentials(headers);
      // As browsers and Go: 303, and a 301 or 302 of a POST, go on as GET without the body.
      if (answer.status === 303 || (answer.status < 303 && method === 'POST')) {
        method = 'GET';
        body = undefined;
      }
      url = next;
    }
  }

  [Symbol.dispose](): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #checkRedirect(from: URL, location: string): URL {
    const next = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
    if (next === undefined || !['http:', 'https:'].includes(next.protocol)) {
      throw new RegistryError(
        `found a redirect to ${JSON.stringify(location)}, wanted an http or https address`,
        { kind: 'invalid' },
      );
    }
    if (from.protocol === 'https:' && next.protocol === 'http:' && !this.#insecure) {
      throw new RegistryError(`found a redirect from https to ${showUrl(next)}, wanted https`, {
        kind: 'invalid',
      });
    }
    return next;
  }

  async #sendOnce({ method, url, headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
    signal.throwIfAborted();
    const secure = url.protocol === 'https:';
    const call = (secure ? httpsRequest : httpRequest)(url, {
      method,
      agent: secure ? this.#https : this.#http,
      signal,
      headers: {
        'User-Agent': 'hull',
        'Accept-Encoding': 'identity',
        ...headers,
        ...(body && { 'Content-Length': String(body.length) }),
      },
    });
    const { stallMs } = this.#timing;
    // No byte in either direction: the connection is dead, or the server does not answer.
    call.setTimeout(stallMs, () => call.destroy(stalled(url, stallMs)));
    const answered = Promise.withResolvers<IncomingMessage>();
    call.once('response', answered.resolve);
    call.on('error', answered.reject);
    if (body) {
      // The answer may come before the whole body was sent (a refusal); its failure then tells nothing new.
      pipeline(body.open(), call).catch(answered.reject);
    } else call.end();
    try {
      const response = await answered.promise;
      return {
        status: response.statusCode ?? 0,
        headers: response.headers,
        url,
        body: bodyOf(response, url, stallMs, signal),
      };
    } catch (error) {
      call.destroy();
      signal.throwIfAborted();
      throw unavailable(url, error);
    }
  }
}

/** A body of at most so many bytes, as a whole. */
export async function readBody({ body, url }: HttpAnswer, largest: number, what: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > largest) {
      throw new RegistryError(
        `found ${what} of more than ${largest} bytes at ${showUrl(url)}, wanted a smaller one`,
        { kind: 'invalid' },
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Without the query: it may hold a signature. */
export const showUrl = ({ origin, pathname }: URL): string => `${origin}${pathname}`;

const isShort = ({ headers }: IncomingMessage): boolean =>
  Number(headers['content-length'] ?? Infinity) < 64 * 1024;

function bodyOf(
  response: IncomingMessage,
  url: URL,
  stallMs: number,
  signal: AbortSignal,
): HttpAnswer['body'] {
  // A failure between two reads must not end the daemon; the reader meets it with its next read.
  response.on('error', () => undefined);
  return {
    // A short rest is read away, so that the connection can be used again.
    destroy: () =>
      void (response.readableFlowing === null && isShort(response) ? response.resume() : response.destroy()),
    async *[Symbol.asyncIterator]() {
      let recent = 0;
      const watch = setInterval(() => {
        if (recent < slowest) response.destroy(stalled(url, stallMs));
        recent = 0;
      }, stallMs);
      try {
        for await (const chunk of response) {
          recent += chunk.length;
          yield chunk;
        }
      } catch (error) {
        signal.throwIfAborted();
        throw unavailable(url, error);
      } finally {
        clearInterval(watch);
        response.destroy();
      }
    },
  };
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !['authorization', 'cookie'].includes(name.toLowerCase())),
  );
}

function stalled(url: URL, stallMs: number): RegistryError {
  return new RegistryError(
    `found no answer, or almost none, from ${showUrl(url)} in ${stallMs / 1000} seconds, wanted one`,
    { kind: 'unavailable' },
  );
}

function unavailable(url: URL, error: unknown): Error {
  if (error instanceof RegistryError) return error;
  return new RegistryError(`found no connection to ${showUrl(url)}: ${errorText(error)}`, {
    kind: 'unavailable',
    cause: error,
  });
}
