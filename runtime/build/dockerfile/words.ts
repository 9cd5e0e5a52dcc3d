import type { Escape } from './directives.ts';
import { DockerfileProblem } from './problem.ts';

/** Splits at spaces outside of quotes; quotes and escapes stay, for the expansion to take away. */
export function splitWords(text: string, escapeMark: Escape): readonly string[] {
  const words: string[] = [];
  let word = '';
  let quote = '';
  let inWord = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? '';
    if (quote === '' && /\s/.test(char)) {
      if (inWord) words.push(word);
      word = '';
      inWord = false;
      continue;
    }
    inWord = true;
    word += char;
    // In single quotes nothing is escaped.
    if (char === escapeMark && quote !== "'" && at + 1 < text.length) word += text[++at] ?? '';
    else if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = '';
  }
  if (inWord) words.push(word);
  return words;
}

export type Pair = readonly [name: string, value: string];

/** `NAME=value …`, or the old form `NAME the rest`. Names and values are not expanded yet. */
export function readPairs(instruction: string, rest: string, escapeMark: Escape): readonly Pair[] {
  const words = splitWords(rest, escapeMark);
  const [first] = words;
  if (first === undefined) throw new DockerfileProblem(`${instruction} requires at least one argument`);
  if (!first.includes('=')) {
    const [, name, value] = /^(\S+)\s+(.+)$/s.exec(rest.trim()) ?? [];
    if (name === undefined || value === undefined) {
      throw new DockerfileProblem(`${instruction} must have two arguments`);
    }
    return [[name, value]];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) {
      throw new DockerfileProblem(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    }
    if (equals === 0) throw new DockerfileProblem(`${instruction} names can not be blank`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}
