import { expect, it } from 'vitest';
import { goDuration, parseGoDuration } from './go-duration.ts';
import { goQuote } from './go-quote.ts';

it.each<[string, number, string]>([
  ['0', 0, '0s'],
  ['30s', 30e9, '30s'],
  ['1m30s', 90e9, '1m30s'],
  ['1.5s', 15e8, '1.5s'],
  ['1500ms', 15e8, '1.5s'],
  ['500ms', 5e8, '500ms'],
  ['90m', 5400e9, '1h30m0s'],
  ['2h', 7200e9, '2h0m0s'],
  ['3us', 3e3, '3µs'],
])('%s is %i ns, which Go prints as %s', (text, time, printed) => {
  expect(parseGoDuration(text)).toBe(time);
  expect(goDuration(time)).toBe(printed);
});

it.each(['', '1', 's', '1x', '-1s', '1 s', '1s 2s', '9999999999h'])('%j is no duration', (text) => {
  expect(parseGoDuration(text)).toBeUndefined();
});

it.each<[string, string]>([
  ['a b', '"a b"'],
  ['"\\', '"\\"\\\\"'],
  ['\n\t\u0001', '"\\n\\t\\x01"'],
  ['ü', '"ü"'],
])('%j is quoted as %s', (text, quoted) => {
  expect(goQuote(text)).toBe(quoted);
});
