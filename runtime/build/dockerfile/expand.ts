import type { Escape } from './directives.ts';
import { DockerfileProblem } from './problem.ts';

/** The value of a variable; undefined where it is not set. */
export type Lookup = (name: string) => string | undefined;

export interface ExpandOptions {
  /** Quotes and escapes are text: only `$` counts (the lines of a heredoc). */
  readonly rawQuotes?: boolean;
}

/**
 * A word as Docker's builder expands it: quotes taken away, escapes resolved, `$x`, `${x}`, `${x:-word}`, `${x:+word}`, `${x:?text}`
 * replaced, the colon being optional. It is not a shell: what a variable holds is never split or expanded again.
 */
export function expandWord(
  word: string,
  escapeMark: Escape,
  lookup: Lookup,
  { rawQuotes = false }: ExpandOptions = {},
): string {
  return new Expansion(word, escapeMark, lookup, rawQuotes).all();
}

/** The same, split at spaces outside of quotes, also those that come out of variables. */
export function expandWords(word: string, escapeMark: Escape, lookup: Lookup): readonly string[] {
  const expansion = new Expansion(word, escapeMark, lookup, false);
  expansion.all();
  return expansion.words();
}

class Expansion {
  readonly #chars: readonly string[];
  readonly #escapeMark: Escape;
  readonly #lookup: Lookup;
  readonly #rawQuotes: boolean;
  #at = 0;
  readonly #words: string[] = [];
  #word: string | undefined;

  constructor(word: string, escapeMark: Escape, lookup: Lookup, rawQuotes: boolean) {
    this.#chars = [...word];
    this.#escapeMark = escapeMark;
    this.#lookup = lookup;
    this.#rawQuotes = rawQuotes;
  }

  all(): string {
    return this.#until(undefined);
  }

  words(): readonly string[] {
    return this.#word === undefined ? this.#words : [...this.#words, this.#word];
  }

  /** Up to the stop character, which is taken; of a nested word no part is a word of its own. */
  #until(stop: '}' | undefined): string {
    let result = '';
    const add = (text: string, isQuoted: boolean) => {
      result += text;
      if (stop === undefined) this.#addToWords(text, isQuoted);
    };
    for (;;) {
      const char = this.#chars[this.#at];
      if (char === undefined) {
        if (stop !== undefined)
          throw new DockerfileProblem(`unexpected end of statement while looking for matching ${stop}`);
        return result;
      }
      if (char === stop) {
        this.#at++;
        return result;
      }
      if (char === "'" && !this.#rawQuotes) add(this.#singleQuoted(), true);
      else if (char === '"' && !this.#rawQuotes) add(this.#doubleQuoted(), true);
      else if (char === '$') add(this.#dollar(), false);
      else if (char === this.#escapeMark) add(this.#escaped(), true);
      else {
        this.#at++;
        add(char, false);
      }
    }
  }

  /** Outside of quotes the next character stands for itself; in a heredoc only `$` and the escape can be escaped. */
  #escaped(): string {
    const next = this.#chars[this.#at + 1];
    const stays = this.#rawQuotes && next !== '$' && next !== this.#escapeMark;
    this.#at += stays ? 1 : 2;
    return stays ? this.#escapeMark : (next ?? '');
  }

  #singleQuoted(): string {
    const end = this.#chars.indexOf("'", this.#at + 1);
    if (end < 0)
      throw new DockerfileProblem('unexpected end of statement while looking for matching single-quote');
    const text = this.#chars.slice(this.#at + 1, end).join('');
    this.#at = end + 1;
    return text;
  }

  #doubleQuoted(): string {
    let text = '';
    this.#at++;
    for (;;) {
      const char = this.#chars[this.#at];
      if (char === undefined) {
        throw new DockerfileProblem('unexpected end of statement while looking for matching double-quote');
      }
      if (char === '"') {
        this.#at++;
        return text;
      }
      if (char === '$') {
        text += this.#dollar();
        continue;
      }
      const next = this.#chars[this.#at + 1];
      const isEscaped =
        char === this.#escapeMark && (next === '"' || next === '$' || next === this.#escapeMark);
      text += isEscaped ? next : char;
      this.#at += isEscaped ? 2 : 1;
    }
  }

  #dollar(): string {
    this.#at++;
    if (this.#chars[this.#at] !== '{') {
      const name = this.#name();
      return name === '' ? '$' : (this.#lookup(name) ?? '');
    }
    this.#at++;
    const name = this.#name();
    if (name === '') throw new DockerfileProblem('syntax error: bad substitution');
    const value = this.#lookup(name);
    if (this.#chars[this.#at] === '}') {
      this.#at++;
      return value ?? '';
    }
    const hasColon = this.#chars[this.#at] === ':';
    if (hasColon) this.#at++;
    const operator = this.#chars[this.#at++];
    if (operator !== '-' && operator !== '+' && operator !== '?') {
      throw new DockerfileProblem(
        `unsupported modifier (${hasColon ? ':' : ''}${operator ?? 'nothing'}) in substitution of \${${name}}: wanted :-, :+ or :?`,
      );
    }
    const word = this.#until('}');
    const isThere = value !== undefined && !(hasColon && value === '');
    if (operator === '+') return isThere ? word : '';
    if (isThere) return value;
    if (operator === '-') return word;
    throw new DockerfileProblem(`${name}: ${word || (value === undefined ? 'is not set' : 'is empty')}`);
  }

  /** A variable's name, `1`, or one of a shell's own (`$@`, `$$`), which are never set here. */
  #name(): string {
    const first = this.#chars[this.#at] ?? '';
    let end = this.#at + 1;
    const goesOn = /[a-zA-Z_]/.test(first) ? /[a-zA-Z0-9_]/ : /[0-9]/.test(first) ? /[0-9]/ : undefined;
    if (goesOn) while (goesOn.test(this.#chars[end] ?? '')) end++;
    else if (!'@*#?$!-'.includes(first) || first === '') return '';
    const name = this.#chars.slice(this.#at, end).join('');
    this.#at = end;
    return name;
  }

  #addToWords(text: string, isQuoted: boolean): void {
    if (isQuoted) {
      this.#word = (this.#word ?? '') + text;
      return;
    }
    for (const char of text) {
      if (!/\s/.test(char)) this.#word = (this.#word ?? '') + char;
      else if (this.#word !== undefined) {
        this.#words.push(this.#word);
        this.#word = undefined;
      }
    }
  }
}
