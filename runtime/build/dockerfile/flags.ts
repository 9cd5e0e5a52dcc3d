import type { Escape } from './directives.ts';
import { DockerfileProblem } from './problem.ts';

/** Cuts the `--name=value` words from the beginning of an instruction's rest; `--` ends them. */
export function splitFlags(
  rest: string,
  escapeMark: Escape,
): { readonly flags: readonly string[]; readonly rest: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (isSpace(rest[at])) at++;
    if (!rest.startsWith('--', at)) return { flags, rest: rest.slice(at) };
    const [word, end] = flagWord(rest, at, escapeMark);
    at = end;
    if (word === '--') return { flags, rest: rest.slice(at).trimStart() };
    flags.push(word);
  }
}

/** One word, its quotes and escapes taken away. */
function flagWord(rest: string, start: number, escapeMark: Escape): readonly [string, number] {
  let word = '';
  let quote = '';
  let at = start;
  for (; at < rest.length; at++) {
    const char = rest[at] ?? '';
    if (char === escapeMark) word += rest[++at] ?? '';
    else if (quote !== '') {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '"' || char === "'") quote = char;
    else if (isSpace(char)) break;
    else word += char;
  }
  return [word, at];
}

/** Flags by name, all of them among `known`, each at most once. A flag of `later` is refused as BuildKit's. */
export function readFlags<K extends string>(
  instruction: string,
  flags: readonly string[],
  known: readonly K[],
  later: readonly string[] = [],
): Partial<Record<K, string>> {
  const found: Partial<Record<K, string>> = {};
  for (const flag of flags) {
    const [, name = '', value] = /^--([^=]*)(?:=(.*))?$/s.exec(flag) ?? [];
    if (later.includes(name)) {
      throw new DockerfileProblem(
        `the --${name} option requires BuildKit: ${instruction} takes ${listOf(known)} here`,
      );
    }
    const key = known.find((one) => one === name);
    if (key === undefined) {
      throw new DockerfileProblem(`unknown flag: --${name}: ${instruction} takes ${listOf(known)}`);
    }
    if (value === undefined) throw new DockerfileProblem(`missing a value on flag: --${name}`);
    if (key in found) throw new DockerfileProblem(`duplicate flag specified: --${name}`);
    found[key] = value;
  }
  return found;
}

const listOf = (known: readonly string[]): string =>
  known.length === 0 ? 'no flags' : known.map((name) => `--${name}`).join(', ');

const isSpace = (char: string | undefined): boolean => char === ' ' || char === '\t';
