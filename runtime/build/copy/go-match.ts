import { HullError } from '../../base/errors.ts';

/**
 * Patterns of Go's filepath.Match, which COPY and .dockerignore are written in: `*` and `?` without slashes, `[a-z]` and `[^a]`, `\` before a
 * character that stands for itself. No library: picomatch knows a shell's patterns, which braces, `!(…)` and dots at the beginning make other ones,
 * and `@balena/dockerignore` ignores case and lets parentheses through to its regular expressions.
 */
export interface MatchOptions {
  /** `**` stands for any number of folders, as in .dockerignore. */
  readonly doubleStar: boolean;
}

/** Kind `invalid` for a pattern that Go finds bad. */
export function goPattern(pattern: string, { doubleStar }: MatchOptions): RegExp {
  const chars = [...pattern];
  let source = '';
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? '';
    if (char === '*') {
      if (!doubleStar || chars[at + 1] !== '*') {
        source += '[^/]*';
        continue;
      }
      at++;
      if (chars[at + 1] === '/') at++;
      source += at + 1 >= chars.length ? '.*' : '(?:.*/)?';
    } else if (char === '?') source += '[^/]';
    else if (char === '[') {
      const [set, end] = characterSet(pattern, chars, at);
      source += set;
      at = end;
    } else if (char === '\\') {
      const next = chars[++at];
      if (next === undefined) throw bad(pattern, 'a \\ at its end');
      source += literal(next);
    } else source += literal(char);
  }
  return new RegExp(`^${source}$`, 'su');
}

/** Whether any character of it is more than itself. */
export function hasWildcards(pattern: string): boolean {
  return /^(?:[^\\*?[]|\\.)*[*?[]/s.test(pattern);
}

/** `[^a-z]` from its bracket on, and where it ends. */
function characterSet(pattern: string, chars: readonly string[], start: number): readonly [string, number] {
  let at = start + 1;
  const isNegated = chars[at] === '^';
  if (isNegated) at++;
  const ranges: string[] = [];
  for (let isFirst = true; isFirst || chars[at] !== ']'; isFirst = false) {
    const [low, afterLow] = member(pattern, chars, at);
    at = afterLow;
    let high = low;
    if (chars[at] === '-') [high, at] = member(pattern, chars, at + 1);
    // An empty range matches nothing; a regular expression would not take it.
    if ((low.codePointAt(0) ?? 0) <= (high.codePointAt(0) ?? 0)) ranges.push(`${inSet(low)}-${inSet(high)}`);
    if (at >= chars.length) throw bad(pattern, 'a [ without its ]');
  }
  if (ranges.length === 0) return [isNegated ? '[^]' : '[]', at];
  return [`[${isNegated ? '^' : ''}${ranges.join('')}]`, at];
}

function member(pattern: string, chars: readonly string[], at: number): readonly [string, number] {
  const char = chars[at];
  if (char === undefined) throw bad(pattern, 'a [ without its ]');
  if (char === '-' || char === ']') throw bad(pattern, `${char} in a [ where a character is wanted`);
  if (char !== '\\') return [char, at + 1];
  const next = chars[at + 1];
  if (next === undefined) throw bad(pattern, 'a \\ at its end');
  return [next, at + 2];
}

const inSet = (char: string): string => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
const literal = (char: string): string => (/[\w/-]/.test(char) && char !== '-' ? char : inSet(char));

function bad(pattern: string, found: string): HullError {
  return new HullError(`syntax error in pattern ${JSON.stringify(pattern)}: found ${found}`, {
    kind: 'invalid',
  });
}
