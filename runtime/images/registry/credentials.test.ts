import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { credentialsOf, parseAuthHeader } from './credentials.ts';
import { encodeAuthConfig, findAuthConfig } from './docker-config.ts';

describe('credentialsOf', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  test.each([
    [{}, undefined],
    [{ username: '', password: '' }, undefined],
    [
      { username: 'u', password: 'p' },
      { kind: 'basic', username: 'u', password: 'p' },
    ],
    [{ auth: base64('u:p:q') }, { kind: 'basic', username: 'u', password: 'p:q' }],
    [
      { username: 'u', password: 'p', identitytoken: 'i' },
      { kind: 'identity', token: 'i' },
    ],
    [
      { identitytoken: 'i', registrytoken: 'r' },
      { kind: 'registry', token: 'r' },
    ],
  ])('%j', (config, wanted) => {
    expect(credentialsOf(config)).toEqual(wanted);
  });

  test('does not show what it cannot read', () => {
    const read = () => credentialsOf({ auth: base64('topsecret') });
    expect(read).toThrow(/wanted|found/);
    expect(read).not.toThrow(/topsecret|dG9wc2VjcmV0/);
  });
});

describe('X-Registry-Auth', () => {
  test.each([undefined, '', 'e30', 'e30=', 'bnVsbA=='])('%j says nothing', (header) => {
    expect(parseAuthHeader(header)).toBeUndefined();
  });

  test('is read back as docker-config writes it', () => {
    const header = encodeAuthConfig({ username: 'ü>?', password: '~' });
    expect(parseAuthHeader(header)).toEqual({ kind: 'basic', username: 'ü>?', password: '~' });
  });

  test.each(['!!!', Buffer.from('no').toString('base64'), Buffer.from('{"username":1}').toString('base64')])(
    '%s is invalid',
    (header) => {
      expect(() => parseAuthHeader(header)).toThrow(expect.objectContaining({ kind: 'invalid' }));
    },
  );
});

describe('Docker’s config.json', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hull-docker-config-'));
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env['PATH']}`);
    const helper = (name: string, body: string) => script(join(folder, `docker-credential-${name}`), body);
    await helper(
      'plain',
      'read -r at || true; echo "{\\"ServerURL\\":\\"$at\\",\\"Username\\":\\"of $at\\",\\"Secret\\":\\"s\\"}"',
    );
    await helper('token', 'echo "{\\"Username\\":\\"<token>\\",\\"Secret\\":\\"refresh\\"}"');
    await helper('none', 'echo "credentials not found in native keychain"; exit 1');
    await helper('broken', 'echo "keychain locked"; exit 1');
    await helper('mad', 'echo hunter2');
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  const find = async (config: unknown, registry: string) => {
    const path = join(folder, 'config.json');
    await writeFile(path, typeof config === 'string' ? config : JSON.stringify(config));
    const found = await findAuthConfig(path, registry);
    return found && credentialsOf(found);
  };
  const auth = (user: string) => ({ auth: Buffer.from(`${user}:p`).toString('base64') });
  const basic = (username: string, password = 'p') => ({ kind: 'basic', username, password });

  test('no file, and no entry, are no credentials', async () => {
    expect(await findAuthConfig(join(folder, 'absent'), 'h')).toBeUndefined();
    expect(await find({ auths: { other: auth('u') } }, 'h')).toBeUndefined();
  });

  test.each([
    ['localhost:5000', 'localhost:5000', 'u'],
    ['http://localhost:5000/v2/', 'localhost:5000', 'u'],
    ['https://index.docker.io/v1/', 'docker.io', 'u'],
  ])('auths under %s are those of %s', async (key, registry, user) => {
    expect(await find({ auths: { [key]: auth(user) } }, registry)).toEqual(basic(user));
  });

  test('a registry’s helper wins over the store of all, and the file is the last', async () => {
    const config = {
      auths: { a: auth('file') },
      credsStore: 'none',
      credHelpers: { h: 'plain', t: 'token' },
    };
    expect(await find(config, 'h')).toEqual(basic('of h', 's'));
    expect(await find(config, 't')).toEqual({ kind: 'identity', token: 'refresh' });
    expect(await find(config, 'a')).toEqual(basic('file'));
    expect(await find({ credsStore: 'plain' }, 'docker.io')).toEqual(
      basic('of https://index.docker.io/v1/', 's'),
    );
  });

  test.each([
    ['broken', 'invalid', /docker-credential-broken.*keychain locked/],
    ['absent', 'unsupported', /docker-credential-absent.*not installed/],
    ['mad', 'invalid', /docker-credential-mad/],
    ['../evil', 'invalid', /path/],
  ])('a helper that is %s is an error of kind %s', async (name, kind, message) => {
    const error = await find({ credsStore: name }, 'h').catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind, message: expect.stringMatching(message) });
    expect(String(error)).not.toContain('hunter2');
  });

  test.each(['', '[]', '{"auths":1}'])('a damaged file is named: %j', async (content) => {
    await expect(find(content, 'h')).rejects.toThrow(join(folder, 'config.json'));
  });
});

async function script(path: string, body: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
}
