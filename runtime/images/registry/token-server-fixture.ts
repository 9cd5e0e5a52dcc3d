import { createSign, randomBytes, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { TestServer } from './http-fixture.ts';

export interface Asked {
  readonly method: string;
  readonly scopes: readonly string[];
  readonly authorization: string | undefined;
  readonly form: URLSearchParams;
}

/** For tests: signs the tokens that a docker-registry with this certificate takes; knows sailor:anchor and a refresh token. */
export class TokenServer implements AsyncDisposable {
  readonly asked: Asked[] = [];
  readonly realm: string;
  readonly #server: TestServer;

  private constructor(server: TestServer) {
    this.#server = server;
    this.realm = `http://${server.host}/token`;
  }

  static async start(files: { readonly certificate: string; readonly key: string }): Promise<TokenServer> {
    const certificate = new X509Certificate(await readFile(files.certificate));
    const key = await readFile(files.key, 'utf8');
    const server: TestServer = await TestServer.start(async (request, response) => {
      const form = new URLSearchParams(await text(request));
      const url = new URL(request.url ?? '/', 'http://host');
      const scopes = [...url.searchParams.getAll('scope'), ...(form.get('scope')?.split(' ') ?? [])].filter(
        Boolean,
      );
      const { authorization } = request.headers;
      self.asked.push({ method: request.method ?? '', scopes, authorization, form });
      const basic = `Basic ${Buffer.from('sailor:anchor').toString('base64')}`;
      const isKnown = authorization === basic || form.get('refresh_token') === 'refresh';
      if (authorization !== undefined && !isKnown) return response.writeHead(401).end();
      // Strangers may read what is public, which is all below open/.
      const granted = scopes.filter((scope) => isKnown || /^repository:open\/[^:]+:pull$/.test(scope));
      const token = sign(certificate, key, granted);
      return response.end(JSON.stringify({ token, expires_in: 300 }));
    });
    const self = new TokenServer(server);
    return self;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

function sign(certificate: X509Certificate, key: string, scopes: readonly string[]): string {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = encode({ typ: 'JWT', alg: 'RS256', x5c: [certificate.raw.toString('base64')] });
  const access = scopes.map((scope) => {
    const [type, name, actions = ''] = scope.split(':');
    return { type, name, actions: actions.split(',') };
  });
  const times = { iat: now - 10, nbf: now - 10, exp: now + 300 };
  const jti = randomBytes(8).toString('hex');
  const claims = encode({ iss: 'test-issuer', aud: 'test-registry', sub: '', ...times, jti, access });
  const signature = createSign('RSA-SHA256').update(`${header}.${claims}`).sign(key, 'base64url');
  return `${header}.${claims}.${signature}`;
}
