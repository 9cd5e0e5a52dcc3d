import { describe, expect, it } from 'vitest';
import { Dockerignore } from './dockerignore.ts';

describe('.dockerignore', () => {
  it.each<[string, readonly string[], readonly string[]]>([
    // its text, what is left out, what is kept
    ['', [], ['a']],
    ['a', ['a', 'a/b'], ['b', 'b/a', 'A', 'ab']],
    ['/a', ['a'], ['b/a']],
    ['a/', ['a', 'a/b'], []],
    ['./a', ['a'], []],
    ['*/b', ['a/b', 'a/b/c'], ['b', 'a/a/b']],
    ['*.md\n!README.md', ['a.md'], ['README.md', 'a/b.md']],
    ['**/*.md\n!a/**', ['b.md', 'c/b.md'], ['a/b.md']],
    ['**/b', ['b', 'a/b', 'a/a/b/c'], ['a']],
    ['a/**', ['a/b', 'a/b/c'], ['a']],
    ['a/**/c', ['a/c', 'a/b/c', 'a/b/b/c'], ['a/b']],
    ['**', ['a', 'a/b'], []],
    ['*\n!a/b', ['a', 'a/c', 'c'], ['a/b', 'a/b/c']],
    ['!a\na', ['a'], []],
    ['# a\n#b', [], ['# a', 'a', '#b']],
    ['  a  \r\n\tb', ['a', 'b'], []],
    ['a?', ['ab'], ['a', 'abc']],
    ['.*', ['.git', '.git/x'], ['a/.git']],
    ['[a-c].txt', ['a.txt'], ['d.txt']],
    ['a/../b', ['b'], ['a']],
    ['a(b)', ['a(b)'], ['ab']],
    ['temp?\n!temp1\ntemp1/x', ['temp2', 'temp1/x'], ['temp1', 'temp1/y']],
    ['! a\n*', ['a'], []],
  ])('%j', (text, out, kept) => {
    const ignore = new Dockerignore(text);
    expect(out.filter((path) => !ignore.leavesOut(path))).toEqual([]);
    expect(kept.filter((path) => ignore.leavesOut(path))).toEqual([]);
  });

  it('refuses a bad pattern', () => {
    expect(() => new Dockerignore('a[')).toThrow('syntax error in pattern "a["');
  });
});
