import { readdir } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../digest.ts';
import { mediaTypes } from '../documents.ts';
import { imageOf } from '../image-fixture.ts';
import { TestServer } from './http-fixture.ts';
import { account, TestPlace } from './registry-fixture.ts';

const reason = process.getuid?.() === 0 ? '' : 'needs root to mount';
const image = await imageOf([[{ name: 'etc/motd', data: 'hello' }]]);
const layer = gzipSync(image.layers[0] ?? '');

interface Served {
  readonly manifest: object | string;
  readonly type: string;
  readonly blobs: Map<string, Buffer>;
}

const honest = (): Served => ({
  manifest: {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: image.id, size: image.config.length },
    layers: [{ mediaType: mediaTypes.layerGzip, digest: digestOf(layer), size: layer.length }],
  },
  type: mediaTypes.manifest,
  blobs: new Map([
    [image.id, Buffer.from(image.config)],
    [digestOf(layer), layer],
  ]),
});

type Answer = (request: IncomingMessage, response: ServerResponse) => boolean;
interface Hostile {
  readonly title: string;
  readonly served?: Partial<Served>;
  /** Answers itself where it says true. */
  readonly answer?: Answer;
  readonly kind: string;
  readonly message: RegExp;
}

const at =
  (pattern: RegExp, then: (response: ServerResponse) => unknown): Answer =>
  ({ url = '' }, response) => {
    if (!pattern.test(url)) return false;
    then(response);
    return true;
  };
const manifestWith = (fields: object) => ({ manifest: { ...(honest().manifest as object), ...fields } });
const layerOf = (fields: object) => ({
  layers: [{ mediaType: mediaTypes.layerGzip, digest: digestOf(layer), size: layer.length, ...fields }],
});
const flipped = Buffer.from(layer);
flipped[20] = (flipped[20] ?? 0) ^ 1;
const otherLayer = gzipSync((await imageOf([[{ name: 'etc/motd', data: 'other' }]])).layers[0] ?? '');

const hostile: readonly Hostile[] = [
  {
    title: 'a layer of another digest',
    served: { blobs: new Map(honest().blobs).set(digestOf(layer), flipped) },
    kind: 'invalid',
    message: /found a blob with digest sha256:.*, wanted sha256:/,
  },
  {
    title: 'a layer of its digest that is not the config’s',
    served: {
      ...manifestWith(layerOf({ digest: digestOf(otherLayer), size: otherLayer.length })),
      blobs: new Map(honest().blobs).set(digestOf(otherLayer), otherLayer),
    },
    kind: 'invalid',
    message: /found digest sha256:.*, wanted sha256:/,
  },
  {
    title: 'a layer shorter than its descriptor',
    served: manifestWith(layerOf({ size: layer.length + 1 })),
    kind: 'invalid',
    message: /found blob .* with \d+ bytes, wanted \d+ as the manifest says/,
  },
  {
    title: 'a layer longer than its descriptor, its length untold',
    served: manifestWith(layerOf({ size: 10 })),
    answer: at(new RegExp(`blobs/${digestOf(layer)}`), (response) => {
      response.write(layer);
      response.end();
    }),
    kind: 'invalid',
    message: /more than 10 bytes/,
  },
  {
    title: 'a manifest that has no end',
    answer: at(/manifests/, (response) => {
      const more = () => {
        if (!response.destroyed) response.write(' '.repeat(64 * 1024), () => setImmediate(more));
      };
      response.writeHead(200, { 'Content-Type': mediaTypes.manifest });
      more();
    }),
    kind: 'invalid',
    message: /manifest of more than 4194304 bytes/,
  },
  {
    title: 'a manifest of another digest than it claims',
    answer: at(/manifests/, (response) =>
      response
        .writeHead(200, {
          'Content-Type': mediaTypes.manifest,
          'Docker-Content-Digest': `sha256:${'0'.repeat(64)}`,
        })
        .end(JSON.stringify(honest().manifest)),
    ),
    kind: 'invalid',
    message: /found a manifest with digest sha256:/,
  },
  {
    title: 'a manifest that is no JSON',
    served: { manifest: '<html>' },
    kind: 'invalid',
    message: /6 characters that are no JSON/,
  },
  {
    title: 'a manifest that is an index as well',
    served: manifestWith({ manifests: [] }),
    kind: 'invalid',
    message: /both layers and manifests/,
  },
  {
    title: 'a manifest sent as another type than it says',
    served: { type: mediaTypes.dockerManifest },
    kind: 'invalid',
    message: /sent as application\/vnd.docker/,
  },
  {
    title: 'a manifest of schema 1',
    served: {
      manifest: { schemaVersion: 1, name: 'n', tag: 't', fsLayers: [], history: [] },
      type: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
    },
    kind: 'unsupported',
    message: /schema 1/,
  },
  {
    title: 'an index of nothing',
    served: {
      manifest: { schemaVersion: 2, manifests: [] },
      type: mediaTypes.index,
    },
    kind: 'not-found',
    message: /found images for no platform/,
  },
  {
    title: 'a digest that leads out of the folder',
    served: manifestWith(layerOf({ digest: 'sha256:../../../../etc/passwd' })),
    kind: 'invalid',
    message: /layers\.0\.digest/,
  },
  {
    title: 'a layer of another kind',
    served: manifestWith(layerOf({ mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' })),
    kind: 'unsupported',
    message: /foreign/,
  },
  {
    title: 'more layers than the config has',
    served: manifestWith({ layers: [...layerOf({}).layers, ...layerOf({}).layers] }),
    kind: 'invalid',
    message: /found 2 layers, wanted 1/,
  },
  {
    title: 'a config above all measure',
    served: manifestWith({ config: { mediaType: mediaTypes.config, digest: image.id, size: 2 ** 40 } }),
    kind: 'invalid',
    message: /config of 1099511627776 bytes/,
  },
  {
    title: 'redirects in circles',
    answer: at(/blobs/, (response) => response.writeHead(307, { Location: '/v2/a/blobs/round' }).end()),
    kind: 'invalid',
    message: /more than 5 redirects/,
  },
  {
    title: 'a body that drips',
    answer: at(/blobs/, (response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('.'), 20);
      response.once('close', () => clearInterval(timer));
    }),
    kind: 'unavailable',
    message: /no answer, or almost none/,
  },
  {
    title: 'errors without end',
    answer: at(/blobs/, (response) => response.writeHead(503, { 'Retry-After': '9999' }).end()),
    kind: 'unavailable',
    message: /found status 503/,
  },
  {
    title: 'an error page above all measure',
    answer: at(/manifests/, (response) => response.writeHead(400).end('x'.repeat(1_000_000))),
    kind: 'invalid',
    message: /found status 400 from/,
  },
  {
    title: 'ranges that nobody asked for',
    answer: at(/blobs/, (response) =>
      response.writeHead(206, { 'Content-Range': 'bytes 5-9/10' }).end('12345'),
    ),
    kind: 'invalid',
    message: /found range "bytes 5-9\/10"/,
  },
  {
    title: 'a challenge that can be met by nobody',
    answer: at(/manifests/, (response) =>
      response.writeHead(401, { 'WWW-Authenticate': 'Bearer realm="file:///etc/passwd"' }).end(),
    ),
    kind: 'invalid',
    message: /found token server "file:\/\/\/etc\/passwd"/,
  },
  {
    title: 'a token with a header in it',
    answer: (request, response) => {
      const { url = '' } = request;
      if (url.startsWith('/token')) response.end(JSON.stringify({ token: 'a\r\nX-Evil: 1' }));
      else if (/manifests/.test(url)) {
        response
          .writeHead(401, { 'WWW-Authenticate': `Bearer realm="http://${request.headers.host}/token"` })
          .end();
      } else return false;
      return true;
    },
    kind: 'invalid',
    message: /found no token/,
  },
];

function registryOf({ served = {}, answer }: Hostile) {
  const { manifest, type, blobs } = { ...honest(), ...served };
  return TestServer.start((request, response) => {
    const { url = '' } = request;
    if (url === '/v2/') return response.end('{}');
    if (answer?.(request, response)) return undefined;
    if (/\/manifests\//.test(url)) {
      const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
      return response.writeHead(200, { 'Content-Type': type }).end(text);
    }
    const data = blobs.get(url.split('/').at(-1) ?? '');
    if (!data) return response.writeHead(404).end();
    return response.writeHead(200, { 'Content-Length': String(data.length) }).end(data);
  });
}

describe.skipIf(reason !== '')(`a hostile registry${reason && ` (skipped: ${reason})`}`, () => {
  test('has an honest twin that works', async () => {
    await using server = await registryOf({ title: '', kind: '', message: /./ });
    await using place = await TestPlace.open();
    expect(await place.pull(`${server.host}/a:latest`)).toBe(image.id);
  });

  test.each(hostile)('$title: one error of kind $kind, and nothing is left', async (case_) => {
    await using server = await registryOf(case_);
    await using place = await TestPlace.open();
    const error = await place
      .pull(`${server.host}/a:latest`, { credentials: account })
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind: case_.kind, message: expect.stringMatching(case_.message) });
    expect(String(error)).not.toContain('anchor');
    expect(await place.store.list()).toEqual([]);
    expect(await place.driver.list()).toEqual([]);
    for (const each of ['blobs/sha256', 'layers', 'spool', 'partial']) {
      expect(await readdir(join(place.images, each)), each).toEqual([]);
    }
  });

  test('credentials do not follow a redirect to another server', async () => {
    const { blobs } = honest();
    await using storage = await TestServer.start((request, response) =>
      response.end(blobs.get(request.url?.split('/').at(-1) ?? '')),
    );
    await using server = await TestServer.start((request, response) => {
      const { url = '' } = request;
      if (!request.headers.authorization) {
        return response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end();
      }
      if (url === '/v2/') return response.end('{}');
      if (/blobs/.test(url))
        return response.writeHead(307, { Location: `http://${storage.host}${url}` }).end();
      const { manifest, type } = honest();
      return response.writeHead(200, { 'Content-Type': type }).end(JSON.stringify(manifest));
    });
    await using place = await TestPlace.open();
    expect(await place.pull(`${server.host}/a:latest`, { credentials: account })).toBe(image.id);
    expect(storage.seen).toHaveLength(2);
    expect(storage.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });
});
