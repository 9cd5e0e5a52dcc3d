import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { duration, firstLine, oneLine, printable, shellQuote } from './text.ts';

describe('duration', () => {
  it.each([
    [0, '0 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [9_949, '9.9 s'],
    [9_951, '10 s'],
    [59_400, '59 s'],
    [59_600, '1 min 00 s'],
    [125_000, '2 min 05 s'],
    [3_599_600, '1 h 00 min'],
    [3_720_000, '1 h 02 min'],
  ])('%d ms is %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

describe('printable', () => {
  it.each([
    ['colours', 'a \u001b[1;31mred\u001b[0m b', 'a red b'],
    ['titles', 'a\u001b]0;title\u0007b\u001b]8;;x\u001b\\c', 'abc'],
    ['line ends', 'a\r\nb\rc\r\r\nd', 'a\nb\nc\nd'],
    ['control characters', 'a\u0000b\u007fc\u009bd', 'a\ufffdb\ufffdc\ufffdd'],
    ['turned writing', 'a\u202eb\u2066c', 'a\ufffdb\ufffdc'],
    ['text', 'tab\tnew\nünï 你好 🚢', 'tab\tnew\nünï 你好 🚢'],
  ])('cleans %s', (_, text, wanted) => {
    expect(printable(text)).toBe(wanted);
  });

  it('makes one line, and finds the first that says something', () => {
    expect(oneLine(' a\n\n\tb  c\u001b[0m ')).toBe('a b c');
    expect(firstLine('\n  \u001b[31m a b \nc')).toBe('a b');
    expect(firstLine('')).toBe('');
  });
});

describe('shellQuote', () => {
  it.each(['plain', 'debian-11/hull/overlay:a/b', '', "it's", '$(id) `id` "x" \\ * ; &', "a'\n'b"])(
    '%j comes back from sh',
    (text) => {
      expect(execFileSync('/bin/sh', ['-c', `printf %s ${shellQuote(text)}`], { encoding: 'utf8' })).toBe(
        text,
      );
    },
  );
});
