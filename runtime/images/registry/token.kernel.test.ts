import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerArchive, imageOf } from '../image-fixture.ts';
import type { Credentials } from './credentials.ts';
import {
  account,
  isInstalled,
  makeCertificate,
  RealRegistry,
  TestPlace,
  whyNoRegistry,
} from './registry-fixture.ts';
import { TokenServer } from './token-server-fixture.ts';

const reason = (await whyNoRegistry()) || ((await isInstalled('openssl')) ? '' : 'openssl is not installed');
const refresh: Credentials = { kind: 'identity', token: 'refresh' };

describe.skipIf(reason !== '')(`a registry with a token server${reason && ` (skipped: ${reason})`}`, () => {
  let folder: string;
  let tokens: TokenServer;
  let registry: RealRegistry;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hull-token-'));
    const files = await makeCertificate(folder);
    tokens = await TokenServer.start(files);
    registry = await RealRegistry.start({ token: { realm: tokens.realm, certificate: files.certificate } });
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    await tokens[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test('a user pushes and mounts, a stranger pulls what is open and nothing else', async () => {
    await using place = await TestPlace.open();
    const image = await imageOf([[{ name: 'etc/motd', data: 'hello' }]]);
    const [open, closed] = [`${registry.host}/open/name:v1`, `${registry.host}/closed/name:v1`];
    for await (const _ of place.store.load(Readable.from([await dockerArchive(image, open, closed)])));
    await expect(place.push(open)).rejects.toMatchObject({ kind: 'unauthorized' });
    await place.push(open, account);
    expect(tokens.asked.at(-1)).toMatchObject({ method: 'GET', scopes: ['repository:open/name:pull,push'] });
    place.statuses();
    await place.push(closed, account);
    expect(place.statuses()).toContain('Mounted from open/name');
    expect(tokens.asked.map(({ scopes }) => scopes)).toContainEqual([
      'repository:closed/name:pull,push',
      'repository:open/name:pull',
    ]);

    await using other = await TestPlace.open();
    tokens.asked.length = 0;
    expect(await other.pull(open)).toBe(image.id);
    // One token for the manifest and all blobs.
    expect(tokens.asked).toHaveLength(1);
    expect(tokens.asked[0]).toMatchObject({
      scopes: ['repository:open/name:pull'],
      authorization: undefined,
    });
    await expect(other.pull(closed)).rejects.toMatchObject({ kind: 'unauthorized' });
    expect(await other.pull(closed, { credentials: account })).toBe(image.id);
  });

  test('a refresh token is traded, a ready token sent as it is, wrong ones are unauthorized', async () => {
    await using place = await TestPlace.open();
    const { signal } = new AbortController();
    const login = (credentials: Credentials) =>
      place.registry.checkLogin(registry.host, { credentials, signal });
    await login(account);
    await login(refresh);
    expect(tokens.asked.at(-1)?.method).toBe('POST');
    expect(tokens.asked.at(-1)?.form.get('grant_type')).toBe('refresh_token');
    await expect(login({ kind: 'basic', username: 'sailor', password: 'wrong' })).rejects.toMatchObject({
      kind: 'unauthorized',
    });
    const before = tokens.asked.length;
    await expect(login({ kind: 'registry', token: 'no.such.token' })).rejects.toMatchObject({
      kind: 'unauthorized',
    });
    expect(tokens.asked).toHaveLength(before);
  });
});
