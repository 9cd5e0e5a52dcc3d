import { describe, expect, test } from 'vitest';
import { HullError } from '../base/errors.ts';
import { filtersOf, flagOf } from './call.ts';
import { toHttpFailure } from './http-errors.ts';
import { makeFinder, type Route } from './router.ts';
import { duration } from './status-text.ts';
import { parseTime } from './times.ts';

const route = (method: Route['method'], path: string): Route => ({
  method,
  path,
  handle: () => ({ json: path }),
});
const loaded: string[] = [];
const words = (word: string, ...routes: readonly Route[]) =>
  [
    word,
    async () => {
      loaded.push(word);
      return routes;
    },
  ] as const;
const find = makeFinder(
  new Map([
    words('_ping', route('GET', '/_ping')),
    words(
      'images',
      route('GET', '/images/json'),
      route('POST', '/images/load'),
      route('GET', '/images/:name/json'),
      route('POST', '/images/:name/tag'),
      route('DELETE', '/images/:name'),
    ),
    words('containers', route('GET', '/containers/:id/json')),
    words('volumes', route('GET', '/volumes')),
  ]),
);

describe('routes', () => {
  test.each([
    ['GET', '/_ping', {}],
    ['GET', '/v1.43/_ping', {}],
    ['GET', '/v1.24/containers/abc/json?size=1', { id: 'abc' }],
    ['GET', '/images/json', {}],
    ['GET', '/v1.40/images/registry:5000/a/b:tag/json', { name: 'registry:5000/a/b:tag' }],
    ['GET', '/images/a%2Fb/json', { name: 'a/b' }],
    ['POST', '/images/a/b/tag?repo=x', { name: 'a/b' }],
    ['DELETE', '/images/sha256:ab', { name: 'sha256:ab' }],
    ['DELETE', '/images/a/b:latest?force=1', { name: 'a/b:latest' }],
    ['POST', '/images/load', {}],
    ['GET', '/_ping/', {}],
  ])('%s %s', async (method, url, params) => {
    expect((await find(method, url)).params).toEqual(params);
  });

  test.each([
    ['GET', '/nothing', 'not-found'],
    ['PUT', '/_ping', 'not-found'],
    ['GET', '/containers//json', 'not-found'],
    ['GET', '/containers/%zz/json', 'invalid'],
    ['GET', '/v1.99/_ping', 'invalid'],
    ['GET', '/v1.12/_ping', 'invalid'],
  ])('%s %s is %s', async (method, url, kind) => {
    await expect(find(method, url)).rejects.toThrow(expect.objectContaining({ kind }));
  });

  test('are loaded by the first request below their word, once', () => {
    expect(loaded.toSorted()).toEqual(['_ping', 'containers', 'images']);
  });
});

test.each([
  ['not-found', 404],
  ['conflict', 409],
  ['busy', 409],
  ['invalid', 400],
  ['unsupported', 501],
  ['not-modified', 304],
  ['internal', 500],
  ['unavailable', 503],
  ['exhausted', 507],
] as const)('an error of kind %s is status %i', (kind, status) => {
  expect(toHttpFailure(new HullError('words', { kind, hint: 'Do this.' }))).toEqual({
    status,
    message: 'words (Do this.)',
  });
});

test.each([
  ['1', true],
  ['true', true],
  ['0', false],
  ['False', false],
  ['', false],
])('a flag of %j is %s', (text, value) => {
  expect(flagOf(new URLSearchParams({ all: text }), 'all')).toBe(value);
});

test('filters come as lists and as sets; unknown ones are refused by name', () => {
  const read = (text: string) =>
    Object.fromEntries(filtersOf(new URLSearchParams({ filters: text }), ['label', 'id']));
  expect(read('{"label":["a=b"]}')).toEqual({ label: ['a=b'] });
  expect(read('{"label":{"a=b":true},"id":{"x":true}}')).toEqual({ label: ['a=b'], id: ['x'] });
  expect(() => read('{"color":["red"]}')).toThrow(/"color"/);
  expect(() => read('nonsense')).toThrow(/filters/);
});

test.each([
  ['1700000000', 1_700_000_000_000_000_000n],
  ['1700000000.5', 1_700_000_000_500_000_000n],
  ['2023-11-14T22:13:20Z', 1_700_000_000_000_000_000n],
  ['0', undefined],
])('the time %s', (text, wanted) => {
  expect(parseTime(new URLSearchParams({ since: text }), 'since')).toBe(wanted);
});

test.each([
  [300, 'Less than a second'],
  [1000, '1 second'],
  [59_000, '59 seconds'],
  [60_000, 'About a minute'],
  [3_600_000, 'About an hour'],
  [7_200_000, '2 hours'],
  [3 * 86_400_000, '3 days'],
])('%i ms are %s', (ms, words) => {
  expect(duration(ms)).toBe(words);
});
