import { describe, expect, test } from 'vitest';
import { HttpClient, readBody } from './http.ts';
import { quickTiming, TestServer } from './http-fixture.ts';

const client = () => new HttpClient(quickTiming, { insecure: true });
const signal = new AbortController().signal;
const authorized = { Authorization: 'Basic c2VjcmV0', Cookie: 'c=1', 'X-Other': 'stays' };

describe('redirects', () => {
  test('carry credentials to the same server, and never to another', async () => {
    await using storage = await TestServer.start((_, response) => response.end('blob'));
    await using registry = await TestServer.start((request, response) => {
      const next = request.url === '/first' ? '/second' : `http://${storage.host}/blob?signature=1`;
      response.writeHead(307, { Location: next }).end();
    });
    using http = client();
    const answer = await http.send({
      method: 'GET',
      url: registry.url('/first'),
      headers: authorized,
      signal,
    });
    expect((await readBody(answer, 100, 'it')).toString()).toBe('blob');
    expect(registry.seen.map(({ headers }) => headers.authorization)).toEqual([
      authorized.Authorization,
      authorized.Authorization,
    ]);
    expect(storage.seen[0]?.url).toBe('/blob?signature=1');
    expect(storage.seen[0]?.headers).toMatchObject({ 'x-other': 'stays' });
    expect(storage.seen[0]?.headers.authorization).toBeUndefined();
    expect(storage.seen[0]?.headers.cookie).toBeUndefined();
  });

  test('in circles are an error after five', async () => {
    await using server = await TestServer.start((_, response) =>
      response.writeHead(302, { Location: '/again' }).end(),
    );
    using http = client();
    await expect(http.send({ method: 'GET', url: server.url('/'), signal })).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('more than 5 redirects'),
    });
    expect(server.seen).toHaveLength(6);
  });

  test.each(['ftp://elsewhere/', 'http://[', 'file:///etc/passwd'])('to %s are refused', async (location) => {
    await using server = await TestServer.start((_, response) =>
      response.writeHead(302, { Location: location }).end(),
    );
    using http = client();
    await expect(http.send({ method: 'GET', url: server.url('/'), signal })).rejects.toMatchObject({
      kind: 'invalid',
    });
  });

  test('repeat a body where the status says so', async () => {
    const bodies: string[] = [];
    await using server = await TestServer.start(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      bodies.push(`${request.method} ${Buffer.concat(chunks)}`);
      if (request.url === '/') response.writeHead(308, { Location: '/there' }).end();
      else response.end('ok');
    });
    using http = client();
    const body = {
      length: 4,
      async *open() {
        yield Buffer.from('data');
      },
    };
    await http.send({ method: 'PUT', url: server.url('/'), body, signal });
    expect(bodies).toEqual(['PUT data', 'PUT data']);
  });
});

describe('a connection that fails is unavailable', () => {
  const broken: [string, Parameters<typeof TestServer.start>[0]][] = [
    ['no answer at all', () => undefined],
    ['cut before the answer', (request) => request.socket.destroy()],
  ];
  test.each(broken)('%s', async (_, answer) => {
    await using server = await TestServer.start(answer);
    using http = client();
    await expect(http.send({ method: 'GET', url: server.url('/'), signal })).rejects.toMatchObject({
      kind: 'unavailable',
    });
  });

  const bodies: [string, Parameters<typeof TestServer.start>[0]][] = [
    [
      'cut in the body',
      (request, response) => {
        response.writeHead(200, { 'Content-Length': '100' });
        response.write('some', () => request.socket.destroy());
      },
    ],
    [
      'silent in the body',
      (_, response) => {
        response.writeHead(200, { 'Content-Length': '100' });
        response.write('some');
      },
    ],
    [
      'a body that drips',
      (_, response) => {
        response.writeHead(200, { 'Content-Length': '100000' });
        const timer = setInterval(() => response.write('.'), 20);
        response.once('close', () => clearInterval(timer));
      },
    ],
  ];
  test.each(bodies)('%s', async (_, answer) => {
    await using server = await TestServer.start(answer);
    using http = client();
    const found = await http.send({ method: 'GET', url: server.url('/'), signal });
    await expect(readBody(found, 1_000_000, 'it')).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('nobody listens', async () => {
    let url: URL;
    {
      await using server = await TestServer.start(() => undefined);
      url = server.url('/');
    }
    using http = client();
    await expect(http.send({ method: 'GET', url, signal })).rejects.toThrow(/ECONNREFUSED/);
  });
});

test('an abort is its own reason, in the answer and in the body', async () => {
  await using server = await TestServer.start((request, response) => {
    if (request.url === '/body') response.writeHead(200).write('some');
  });
  using http = client();
  const reason = new Error('the client has left');
  for (const path of ['/', '/body']) {
    const controller = new AbortController();
    const work = (async () => {
      const answer = await http.send({ method: 'GET', url: server.url(path), signal: controller.signal });
      await readBody(answer, 1000, 'it');
    })();
    setTimeout(() => controller.abort(reason), 30);
    await expect(work).rejects.toBe(reason);
  }
});

test('a body above its limit is an error that names both', async () => {
  await using server = await TestServer.start((_, response) => response.end('x'.repeat(101)));
  using http = client();
  const answer = await http.send({ method: 'GET', url: server.url('/m?secret=1'), signal });
  await expect(readBody(answer, 100, 'a manifest')).rejects.toThrow(
    `found a manifest of more than 100 bytes at http://${server.host}/m, wanted a smaller one`,
  );
});
