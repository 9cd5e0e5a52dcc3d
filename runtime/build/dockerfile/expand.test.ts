// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what a Dockerfile says, not JavaScript
import { describe, expect, it } from 'vitest';
import { expandWord, expandWords } from './expand.ts';

const values: Readonly<Record<string, string>> = { x: 'sea', empty: '', two: 'a  b', q: '"' };
const lookup = (name: string) => values[name];

describe('a word of a Dockerfile is expanded', () => {
  it.each([
    // word, result
    ['plain', 'plain'],
    ['$x', 'sea'],
    ['${x}man', 'seaman'],
    ['$xman', ''],
    ['$x-$x', 'sea-sea'],
    ['a$', 'a$'],
    ['$ x', '$ x'],
    ['\\$x', '$x'],
    ['\\\\$x', '\\sea'],
    ["'$x'", '$x'],
    ['"$x"', 'sea'],
    ['"\\$x"', '$x'],
    ['"a\\nb"', 'a\\nb'],
    ['"a\\"b"', 'a"b'],
    ['a\\ b', 'a b'],
    ['a\\', 'a'],
    ['$q', '"'],
    ['${missing}', ''],
    ['${missing:-word}', 'word'],
    ['${missing-word}', 'word'],
    ['${empty:-word}', 'word'],
    ['${empty-word}', ''],
    ['${x:-word}', 'sea'],
    ['${x:+word}', 'word'],
    ['${x+word}', 'word'],
    ['${empty:+word}', ''],
    ['${empty+word}', 'word'],
    ['${missing:+word}', ''],
    ['${missing:-${x}}', 'sea'],
    ['${missing:-$x/${missing:-b}}', 'sea/b'],
    ['${missing:-"a}b"}', 'a}b'],
    ['${x:?wanted}', 'sea'],
    ['$1', ''],
    ['$$', ''],
    ['ü$x', 'üsea'],
  ])('%s → %s', (word, result) => {
    expect(expandWord(word, '\\', lookup)).toBe(result);
  });

  it.each([
    ["'open", 'single-quote'],
    ['"open', 'double-quote'],
    ['${x', 'unsupported modifier'],
    ['${x:-open', 'looking for matching }'],
    ['${}', 'bad substitution'],
    ['${x:=word}', 'unsupported modifier (:=)'],
    ['${x##a}', 'unsupported modifier (#)'],
    ['${missing:?name the sea}', 'missing: name the sea'],
    ['${empty:?}', 'empty: is empty'],
  ])('%s is refused: %s', (word, reason) => {
    expect(() => expandWord(word, '\\', lookup)).toThrow(reason);
  });

  it('escapes with a backtick where the directive says so', () => {
    expect(expandWord('C:\\$x`$x', '`', lookup)).toBe('C:\\sea$x');
  });

  it.each([
    ['$two', ['a', 'b']],
    ['"$two"', ['a  b']],
    ['1$two', ['1a', 'b']],
    ['$empty', []],
    ['""', ['']],
  ])('%s is split into %j', (word, words) => {
    expect(expandWords(word, '\\', lookup)).toEqual(words);
  });

  it('leaves the quotes of a heredoc', () => {
    expect(expandWord('echo "$x" \'$x\' \\$x \\n', '\\', lookup, { rawQuotes: true })).toBe(
      'echo "sea" \'sea\' $x \\n',
    );
  });
});
