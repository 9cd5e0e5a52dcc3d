import { describe, expect, test } from 'vitest';
import { parseChallenges } from './challenge.ts';
import { isInsecure, parseInsecureRegistries } from './insecure.ts';
import { choosePlatform, fitsPlatform, formatPlatform, parsePlatform } from './platform.ts';
import { formatRemoteName, parseRemoteName } from './remote-name.ts';
import { Slots } from './slots.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('parseRemoteName', () => {
  test.each([
    ['busybox', '', { host: 'docker.io', path: 'library/busybox', repository: 'busybox' }],
    ['busybox', 'v1', { host: 'docker.io', path: 'library/busybox', repository: 'busybox', tag: 'v1' }],
    ['busybox:v1', '', { host: 'docker.io', path: 'library/busybox', repository: 'busybox', tag: 'v1' }],
    ['busybox:v1', 'v2', { host: 'docker.io', path: 'library/busybox', repository: 'busybox', tag: 'v2' }],
    ['h:5000/a/b', 'latest', { host: 'h:5000', path: 'a/b', repository: 'h:5000/a/b', tag: 'latest' }],
    ['h:5000/a', digest, { host: 'h:5000', path: 'a', repository: 'h:5000/a', digest }],
    [`h:5000/a:v1@${digest}`, '', { host: 'h:5000', path: 'a', repository: 'h:5000/a', digest }],
  ])('%s and %j', (text, tag, wanted) => {
    expect(parseRemoteName(text, tag)).toEqual(wanted);
  });

  test.each([
    ['a b', ''],
    ['name', 'bad tag'],
    ['name', 'sha256:12'],
    [`name@${digest}`, digest],
  ])('refuses %s and %j', (text, tag) => {
    expect(() => parseRemoteName(text, tag)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });

  test.each(['busybox', 'busybox:v1', `h:5000/a@${digest}`])('writes %s again', (text) => {
    expect(formatRemoteName(parseRemoteName(text))).toBe(text);
  });
});

describe('parseChallenges', () => {
  test('reads Docker Hub’s', () => {
    const header =
      'Bearer realm="https://auth.example/token",service="reg.example",scope="repository:a/b:pull,push"';
    expect(parseChallenges(header)).toEqual([
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.example/token',
          service: 'reg.example',
          scope: 'repository:a/b:pull,push',
        },
      },
    ]);
  });

  test('tells several in one header apart, quotes escaped or left out', () => {
    expect(parseChallenges('Basic realm="a \\"b\\"", Bearer realm=x, error=invalid_token')).toEqual([
      { scheme: 'basic', parameters: { realm: 'a "b"' } },
      { scheme: 'bearer', parameters: { realm: 'x', error: 'invalid_token' } },
    ]);
  });

  test.each(['', ',,,', '"', '='])('finds nothing in %j', (text) => {
    expect(parseChallenges(text)).toEqual([]);
  });
});

describe('platforms', () => {
  const of = (...texts: string[]) => texts.map((text) => ({ name: text, platform: parsePlatform(text) }));
  const unknown = { name: 'attestation', platform: { os: 'unknown', architecture: 'unknown' } };

  test.each([
    ['linux/amd64', 'linux/amd64', undefined],
    ['linux/x86_64', 'linux/amd64', undefined],
    ['linux/arm', 'linux/arm/v7', undefined],
    ['aarch64', 'linux/arm64', undefined],
    ['linux/arm64/v8', 'linux/arm64', undefined],
    ['linux/arm/6', 'linux/arm/v6', undefined],
  ])('%s is %s', (text, wanted) => {
    expect(formatPlatform(parsePlatform(text))).toBe(wanted);
  });

  test.each(['', 'a/b/c/d', 'linux/../x', 'linux/'])('%j is refused', (text) => {
    expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });

  test.each([
    ['linux/amd64', ['linux/arm64', 'windows/amd64', 'linux/amd64'], 'linux/amd64'],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v8'], 'linux/arm/v6'],
    ['linux/arm/v6', ['linux/arm/v7', 'linux/arm/v5'], 'linux/arm/v5'],
    ['linux/arm64', ['linux/arm/v7', 'linux/arm64'], 'linux/arm64'],
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'], 'linux/amd64/v2'],
    ['linux/amd64', ['linux/amd64/v2'], undefined],
    ['linux/s390x', ['linux/amd64'], undefined],
    ['linux/amd64', [], undefined],
  ])('for %s of %j: %s', (wanted, offered, best) => {
    const entries = [unknown, { name: 'nothing said', platform: undefined }, ...of(...offered)];
    expect(choosePlatform(entries, parsePlatform(wanted))?.name).toBe(best);
  });

  test('a config without a variant fits its architecture', () => {
    expect(fitsPlatform({ os: 'linux', architecture: 'arm64' }, parsePlatform('linux/arm64/v8'))).toBe(true);
    expect(fitsPlatform({ os: 'linux', architecture: 'amd64' }, parsePlatform('linux/arm64'))).toBe(false);
  });
});

describe('insecure registries', () => {
  test.each([
    ['127.0.0.1:5000', [], true],
    ['127.5.5.5', [], true],
    ['localhost:5000', [], true],
    ['[::1]:5000', [], true],
    ['10.1.2.3:5000', [], false],
    ['10.1.2.3:5000', ['10.0.0.0/8'], true],
    ['11.1.2.3:5000', ['10.0.0.0/8'], false],
    ['Reg.example:5000', ['reg.example:5000'], true],
    ['reg.invalid:5001', ['reg.invalid:5000'], false],
    ['reg.invalid:5001', ['reg.invalid'], true],
  ])('%s with %j: %s', async (host, values, wanted) => {
    expect(await isInsecure(host, parseInsecureRegistries(values))).toBe(wanted);
  });

  test.each(['http://reg.example', '10.0.0.0/33', 'x/8'])('%s is refused as a value', (value) => {
    expect(() => parseInsecureRegistries([value])).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });
});

test('slots: never more at once, in the order they came, and free again after a failure', async () => {
  const slots = new Slots(2);
  const order: number[] = [];
  let now = 0;
  let most = 0;
  const works = [0, 1, 2, 3, 4].map((each) =>
    slots.run(async () => {
      most = Math.max(most, ++now);
      order.push(each);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      if (each === 1) throw new Error('one fails');
    }),
  );
  const results = await Promise.allSettled(works);
  expect(results.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1);
  expect({ most, order }).toEqual({ most: 2, order: [0, 1, 2, 3, 4] });
});
