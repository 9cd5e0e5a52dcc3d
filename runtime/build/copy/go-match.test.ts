import { describe, expect, it } from 'vitest';
import { goPattern, hasWildcards } from './go-match.ts';

describe("Go's filepath.Match", () => {
  it.each([
    // pattern, name, whether it matches
    ['abc', 'abc', true],
    ['*', 'abc', true],
    ['*', 'a/b', false],
    ['*c', 'abc', true],
    ['a*/b', 'abc/b', true],
    ['a*/b', 'a/c/b', false],
    ['a?c', 'a/c', false],
    ['a?c', 'aüc', true],
    ['ab[c]', 'abc', true],
    ['ab[b-d]', 'abc', true],
    ['ab[e-g]', 'abc', false],
    ['ab[^c]', 'abc', false],
    ['ab[^e-g]', 'abc', true],
    ['ab[!c]', 'ab!', true],
    ['ab[g-e]', 'abf', false],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'ab', false],
    ['[\\]a]', ']', true],
    ['[\\-x]', '-', true],
    ['A', 'a', false],
    ['.a', 'xa', false],
    ['{a,b}', 'a', false],
    ['+(a)', '+(a)', true],
    ['a$', 'a$', true],
    ['**', 'a/b', false],
  ])('%s and %s: %s', (pattern, name, matches) => {
    expect(goPattern(pattern, { doubleStar: false }).test(name)).toBe(matches);
  });

  it.each(['[', '[]', '[]a]', '[-]', '[x-]', '[-x]', '[a-b-c]', 'a[', '[^', '[^bc', 'a\\', '[a\\'])(
    '%s is a syntax error',
    (pattern) => {
      expect(() => goPattern(pattern, { doubleStar: false })).toThrow('syntax error in pattern');
    },
  );

  it.each([
    ['a', false],
    ['a*', true],
    ['a\\*', false],
    ['a\\\\*', true],
    ['[a]', true],
    ['?', true],
  ])('%s has wildcards: %s', (pattern, has) => {
    expect(hasWildcards(pattern)).toBe(has);
  });
});
