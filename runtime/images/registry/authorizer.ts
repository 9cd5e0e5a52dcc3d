import { z } from 'zod';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { type HttpAnswer, type HttpClient, readBody, showUrl } from './http.ts';
import { RegistryError, refusal } from './registry-error.ts';

/** Distribution spec, "Token authentication": either name of the token, its life in seconds. */
const tokenSchema = z.looseObject({
  token: z.string().nullish(),
  access_token: z.string().nullish(),
  expires_in: z.number().nullish(),
});

interface Token {
  readonly text: string;
  readonly staleAt: number;
}

const largestToken = 1024 * 1024;
const shortestLife = 60;

/** Answers a registry's challenges: Basic, or Bearer with tokens from its token server, one for each set of scopes. */
export class Authorizer {
  readonly #http: HttpClient;
  readonly #credentials: Credentials | undefined;
  readonly #mayBePlain: boolean;
  readonly #tokens = new Map<string, Token>();
  #challenges: readonly Challenge[] = [];

  /** `mayBePlain`: secrets may go over http, since the registry is named as insecure. */
  constructor(http: HttpClient, credentials: Credentials | undefined, mayBePlain: boolean) {
    this.#http = http;
    this.#credentials = credentials;
    this.#mayBePlain = mayBePlain;
  }

  /** Takes the challenges of a 401 (or of the first answer), and forgets what was refused. */
  challenged(answer: HttpAnswer, scopes: readonly string[]): void {
    const header = answer.headers['www-authenticate'];
    if (header !== undefined) this.#challenges = parseChallenges(header);
    this.#tokens.delete(scopes.join(' '));
  }

  /** The Authorization header for these scopes (`repository:team/name:pull`), or undefined. Kinds `unauthorized`, `invalid`, `unavailable`. */
  async header(scopes: readonly string[], signal: AbortSignal): Promise<string | undefined> {
    if (this.#credentials?.kind === 'registry') return `Bearer ${this.#credentials.token}`;
    const bearer = this.#challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer) return `Bearer ${await this.#token(bearer, scopes, signal)}`;
    const wantsBasic = this.#challenges.some(({ scheme }) => scheme === 'basic');
    return wantsBasic ? basicHeader(this.#credentials) : undefined;
  }

  async #token({ parameters }: Challenge, scopes: readonly string[], signal: AbortSignal): Promise<string> {
    const key = scopes.join(' ');
    const known = this.#tokens.get(key);
    if (known && known.staleAt > Date.now()) return known.text;
    const realm = this.#realm(parameters['realm']);
    const service = parameters['service'];
    const answer = await this.#ask(realm, service, scopes, signal);
    if (answer.status !== 200) throw await refusal(answer, 'a token');
    const { text, life } = readToken(await readBody(answer, largestToken, 'a token'), realm);
    // A few seconds less, so that none ends on its way.
    this.#tokens.set(key, { text, staleAt: Date.now() + (life - 5) * 1000 });
    return text;
  }

  async #ask(
    realm: URL,
    service: string | undefined,
    scopes: readonly string[],
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const credentials = this.#credentials;
    if (credentials?.kind === 'identity') {
      const form = Buffer.from(
        String(
          new URLSearchParams({
            grant_type: 'refresh_token',
            client_id: 'hull',
            refresh_token: credentials.token,
            scope: scopes.join(' '),
            ...(service !== undefined && { service }),
          }),
        ),
      );
      const body = { length: form.length, open: () => once(form) };
      const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
      return await this.#http.send({ method: 'POST', url: realm, headers, body, signal });
    }
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    if (credentials?.kind === 'basic') url.searchParams.set('account', credentials.username);
    const authorization = basicHeader(credentials);
    const headers: Record<string, string> = authorization ? { Authorization: authorization } : {};
    return await this.#http.send({ method: 'GET', url, headers, signal });
  }

  #realm(text: string | undefined): URL {
    if (text === undefined || !URL.canParse(text) || !/^https?:/.test(text)) {
      throw new RegistryError(
        `found token server ${JSON.stringify(text ?? '')} in its challenge, wanted an http or https address`,
        { kind: 'invalid' },
      );
    }
    const url = new URL(text);
    if (url.protocol === 'http:' && this.#credentials && !this.#mayBePlain) {
      throw new RegistryError(
        `found token server ${showUrl(url)} in its challenge, wanted https: credentials do not go over http`,
        { kind: 'invalid' },
      );
    }
    return url;
  }
}

function readToken(data: Buffer, realm: URL): { readonly text: string; readonly life: number } {
  let value: unknown;
  try {
    value = JSON.parse(data.toString('utf8'));
  } catch {
    value = undefined;
  }
  const parsed = tokenSchema.safeParse(value);
  const text = parsed.data?.token || parsed.data?.access_token;
  // A token with a line break in it would write headers of its own.
  if (!text || !/^[\x21-\x7e]+$/.test(text)) {
    throw new RegistryError(`found no token in the answer of ${showUrl(realm)}, wanted one`, {
      kind: 'invalid',
    });
  }
  return { text, life: Math.max(parsed.data?.expires_in ?? shortestLife, shortestLife) };
}

function basicHeader(credentials: Credentials | undefined): string | undefined {
  if (credentials?.kind !== 'basic') return undefined;
  const { username, password } = credentials;
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}

async function* once(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data;
}
