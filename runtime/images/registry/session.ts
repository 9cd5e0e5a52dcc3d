import { defaultRegistry } from '../reference.ts';
import { Authorizer } from './authorizer.ts';
import { readCertificates } from './certificates.ts';
import type { Credentials } from './credentials.ts';
import { type HttpAnswer, HttpClient, type RequestBody, showUrl, type TlsSettings } from './http.ts';
import { type InsecureRegistries, isInsecure } from './insecure.ts';
import { RegistryError, refusal } from './registry-error.ts';
import { retrying } from './retrying.ts';
import type { RegistryTiming } from './timing.ts';

export interface SessionOptions {
  /** `host` or `host:port`; `docker.io` is Docker Hub. */
  readonly host: string;
  readonly credentials: Credentials | undefined;
  readonly insecure: InsecureRegistries;
  /** As /etc/docker/certs.d. */
  readonly certificates: string;
  readonly timing: RegistryTiming;
  readonly signal: AbortSignal;
}

export interface SessionRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** A path from `/v2/` on, or an address that the registry gave. */
  readonly target: string | URL;
  readonly scopes?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
}

/** One operation's conversation with one registry (distribution-spec): where it is, and who asks. */
export class RegistrySession implements Disposable {
  readonly host: string;
  readonly timing: RegistryTiming;
  readonly signal: AbortSignal;
  readonly #http: HttpClient;
  readonly #base: URL;
  readonly #authorizer: Authorizer;

  private constructor(options: SessionOptions, http: HttpClient, base: URL, authorizer: Authorizer) {
    this.host = options.host;
    this.timing = options.timing;
    this.signal = options.signal;
    this.#http = http;
    this.#base = base;
    this.#authorizer = authorizer;
  }

  /** Asks for `/v2/`: by https, and where the registry is named as insecure also without a look at its certificate, then by http. */
  static async open(options: SessionOptions): Promise<RegistrySession> {
    const { timing, signal } = options;
    const pinged = { timing: { ...timing, attempts: Math.min(timing.attempts, 2) }, signal };
    return await retrying(() => RegistrySession.#find(options), pinged);
  }

  static async #find(options: SessionOptions): Promise<RegistrySession> {
    const name = options.host === defaultRegistry ? 'registry-1.docker.io' : options.host;
    const insecure = await isInsecure(options.host, options.insecure);
    const tls: TlsSettings = {
      insecure,
      ...(insecure ? {} : await readCertificates(options.certificates, options.host)),
    };
    let failure: unknown;
    for (const scheme of insecure ? ['https', 'http'] : ['https']) {
      const http = new HttpClient(options.timing, tls);
      try {
        return await RegistrySession.#ping(options, http, new URL(`${scheme}://${name}/v2/`), insecure);
      } catch (error) {
        http[Symbol.dispose]();
        if (!(error instanceof RegistryError) || error.kind !== 'unavailable') throw error;
        // The last: what was found by http is what counts where both failed.
        failure = insecure ? error : withHint(error, options);
      }
    }
    throw failure;
  }

  static async #ping(
    options: SessionOptions,
    http: HttpClient,
    base: URL,
    insecure: boolean,
  ): Promise<RegistrySession> {
    const answer = await http.send({ method: 'GET', url: base, signal: options.signal });
    answer.body.destroy();
    if (answer.status !== 200 && answer.status !== 401) {
      throw new RegistryError(
        `found status ${answer.status} from ${showUrl(base)}, wanted a registry with the distribution API`,
        { kind: answer.status >= 500 ? 'unavailable' : 'unsupported' },
      );
    }
    const authorizer = new Authorizer(http, options.credentials, insecure);
    authorizer.challenged(answer, []);
    return new RegistrySession(options, http, base, authorizer);
  }

  /** The answer, whatever its status is; a 401 is answered once with fresh credentials. */
  async send({ method, target, scopes = [], headers = {}, body }: SessionRequest): Promise<HttpAnswer> {
    const url = typeof target === 'string' ? new URL(target, this.#base) : target;
    const ours = url.origin === this.#base.origin;
    for (let tries = 0; ; tries++) {
      const authorization = ours ? await this.#authorizer.header(scopes, this.signal) : undefined;
      const answer = await this.#http.send({
        method,
        url,
        headers: { ...headers, ...(authorization !== undefined && { Authorization: authorization }) },
        ...(body && { body }),
        signal: this.signal,
      });
      if (answer.status !== 401 || tries > 0 || answer.url.origin !== this.#base.origin) return answer;
      this.#authorizer.challenged(answer, scopes);
      answer.body.destroy();
    }
  }

  /** As `send`; any other status is an error with the registry's own words. */
  async expect(request: SessionRequest, ...statuses: readonly number[]): Promise<HttpAnswer> {
    const answer = await this.send(request);
    if (statuses.includes(answer.status)) return answer;
    throw await refusal(answer, `${statuses.join(' or ')} for ${request.method}`);
  }

  /** Whether the credentials are good. Kind `unauthorized` where they are not. */
  async checkLogin(): Promise<void> {
    const answer = await this.expect({ method: 'GET', target: '/v2/' }, 200);
    answer.body.destroy();
  }

  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]();
  }
}

/** A certificate that nobody knows, or a server without TLS: the two ways out. */
function withHint(error: RegistryError, { host, certificates }: SessionOptions): RegistryError {
  if (!/certificate|self.signed|CERT|wrong version number|EPROTO|SSL/i.test(error.message)) return error;
  return new RegistryError(error.reason, {
    kind: 'unavailable',
    cause: error.cause,
    hint: `Put its certificate into ${certificates}/${host}/ca.crt, or start the daemon with --insecure-registry ${host}.`,
  });
}
