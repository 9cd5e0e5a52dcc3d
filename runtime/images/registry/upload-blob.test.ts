import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SpooledBlob } from '../blobs.ts';
import { digestOf } from '../digest.ts';
import { quickTiming, TestServer } from './http-fixture.ts';
import { parseInsecureRegistries } from './insecure.ts';
import { RegistrySession } from './session.ts';
import { type UploadResult, uploadBlob } from './upload-blob.ts';

const piece = 8 * 1024 * 1024;
const data = randomBytes(2 * piece + 12_345);
let folder: string;
const blobs = new Map<string, SpooledBlob>();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hull-upload-'));
  for (const [name, content] of [
    ['large', data],
    ['small', data.subarray(0, 1000)],
    ['empty', Buffer.alloc(0)],
  ] as const) {
    const path = join(folder, name);
    await writeFile(path, content);
    blobs.set(name, { path, digest: digestOf(content), size: content.length });
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface RegistryOptions {
  /** Cuts the piece with this number (from 1) after so many bytes, once. */
  readonly cutPiece?: { readonly number: number; readonly after: number };
  /** Says after a cut that it knows nothing of the upload. */
  readonly forgets?: boolean;
}

/** A registry that keeps what came before a cut, as the specification wishes. */
async function registryWith({ cutPiece, forgets = false }: RegistryOptions) {
  const state = { chunks: [] as Buffer[], length: 0, taken: 0, stored: '', pieces: 0 };
  const received = () => Buffer.concat(state.chunks);
  const server = await TestServer.start(async (request, response) => {
    const { method = '', url = '' } = request;
    if (url === '/v2/') return response.end('{}');
    if (method === 'HEAD') return response.writeHead(404).end();
    const location = { Location: `/upload?state=${state.length}` };
    const range = { Range: `0-${Math.max(state.length - 1, 0)}` };
    if (method === 'POST') {
      state.chunks = [];
      state.length = 0;
      return response.writeHead(202, { Location: '/upload?state=0' }).end();
    }
    if (method === 'GET')
      return forgets
        ? response.writeHead(404).end()
        : response.writeHead(204, { ...location, ...range }).end();
    const cut = method === 'PATCH' && ++state.pieces === cutPiece?.number ? cutPiece.after : undefined;
    const start = state.length;
    try {
      for await (const chunk of request) {
        state.chunks.push(chunk);
        state.length += chunk.length;
        state.taken += chunk.length;
        if (cut !== undefined && state.length - start >= cut) return request.socket.destroy();
      }
    } catch {
      return undefined;
    }
    if (method === 'PATCH') {
      return response.writeHead(202, { Location: `/upload?state=${state.length}` }).end();
    }
    state.stored = new URL(url, 'http://h').searchParams.get('digest') ?? '';
    return response.writeHead(201, { 'Docker-Content-Digest': digestOf(received()) }).end();
  });
  return { server, state, received };
}

async function upload(server: TestServer, name: string, mountFrom: string[] = []): Promise<UploadResult> {
  const blob = blobs.get(name);
  if (!blob) throw new Error(`no blob ${name}`);
  using session = await RegistrySession.open({
    host: server.host,
    credentials: undefined,
    insecure: parseInsecureRegistries([]),
    certificates: folder,
    timing: { ...quickTiming, stallMs: 5000 },
    signal: new AbortController().signal,
  });
  return await uploadBlob({ session, path: 'team/name', blob, mountFrom });
}

describe('uploadBlob', () => {
  test.each(['small', 'empty'])('sends a %s blob at once', async (name) => {
    const { server, state, received } = await registryWith({});
    await using _ = server;
    expect(await upload(server, name)).toEqual({ kind: 'pushed' });
    expect(state.stored).toBe(digestOf(received()));
    expect(server.seen.map(({ method }) => method)).toEqual(['GET', 'HEAD', 'POST', 'PUT']);
  });

  test('sends a large one in pieces', async () => {
    const { server, state, received } = await registryWith({});
    await using _ = server;
    await upload(server, 'large');
    expect(received().equals(data)).toBe(true);
    expect(state.pieces).toBe(3);
    expect(server.seen.flatMap(({ headers }) => headers['content-range'] ?? [])).toEqual([
      `0-${piece - 1}`,
      `${piece}-${2 * piece - 1}`,
      `${2 * piece}-${data.length - 1}`,
    ]);
  });

  test('asks after a cut how far it came, and goes on from there', async () => {
    const { server, state, received } = await registryWith({ cutPiece: { number: 2, after: 1_000_000 } });
    await using _ = server;
    await upload(server, 'large');
    expect(received().equals(data)).toBe(true);
    expect(state.taken).toBe(data.length);
    expect(server.seen.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  test('begins anew where the registry has forgotten', async () => {
    const { server, received } = await registryWith({
      cutPiece: { number: 2, after: 1_000_000 },
      forgets: true,
    });
    await using _ = server;
    await upload(server, 'large');
    expect(received().equals(data)).toBe(true);
    expect(server.seen.filter(({ method }) => method === 'POST')).toHaveLength(2);
  });

  test('gives back the upload that a refused mount opened', async () => {
    const asked: string[] = [];
    await using server = await TestServer.start((request, response) => {
      const { method = '', url = '' } = request;
      if (url !== '/v2/') asked.push(`${method} ${url.split('?')[0]}`);
      if (url === '/v2/') return response.end('{}');
      if (method === 'HEAD') return response.writeHead(404).end();
      if (url.includes('from=has')) return response.writeHead(201).end();
      if (url.includes('from=')) return response.writeHead(202, { Location: '/given' }).end();
      return response.writeHead(204).end();
    });
    expect(await upload(server, 'small', ['not', 'has'])).toEqual({ kind: 'mounted', from: 'has' });
    const uploads = 'POST /v2/team/name/blobs/uploads/';
    expect(asked.slice(1)).toEqual([uploads, 'DELETE /given', uploads]);
  });

  test('a blob that was stored as another is an error', async () => {
    await using server = await TestServer.start((request, response) => {
      request.resume();
      if (request.url === '/v2/') return response.end('{}');
      if (request.method === 'HEAD') return response.writeHead(404).end();
      if (request.method === 'POST') return response.writeHead(202, { Location: '/u' }).end();
      return response.writeHead(201, { 'Docker-Content-Digest': `sha256:${'0'.repeat(64)}` }).end();
    });
    await expect(upload(server, 'small')).rejects.toMatchObject({ kind: 'invalid' });
  });
});
