import { DockerfileProblem } from './problem.ts';

/** `<<EOF` and the lines up to `EOF`. */
export interface Heredoc {
  readonly name: string;
  /** Each line with its newline. */
  readonly content: string;
  /** Variables in it are replaced: its name is not quoted. */
  readonly expands: boolean;
}

interface Mark {
  readonly name: string;
  readonly expands: boolean;
  /** `<<-`: tabs at the beginning of its lines go. */
  readonly chomps: boolean;
}

/** Only these take heredocs; elsewhere `<<` is text. */
const takers = /^\s*(?:ONBUILD\s+)?(?:RUN|COPY|ADD)\s/i;

/** The heredocs that an instruction begins, in order. */
export function heredocMarks(text: string): readonly Mark[] {
  if (!takers.test(text)) return [];
  // The exec form is JSON, in which `<<` is a part of a word.
  if (/^\s*\S+\s+\[/.test(text)) return [];
  return wordsOf(text).flatMap((word) => {
    const [, dash, quote, name] = /^\d*<<(-?)(["']?)([a-zA-Z_][a-zA-Z0-9_.]*)\2$/.exec(word) ?? [];
    return name === undefined ? [] : [{ name, expands: quote === '', chomps: dash === '-' }];
  });
}

/** Its lines, from line `start` on (counted from 0); `end` is the line behind the one that ends it. */
export function readHeredoc(
  { name, expands, chomps }: Mark,
  physical: readonly string[],
  start: number,
): { readonly heredoc: Heredoc; readonly end: number } {
  let content = '';
  for (let at = start; at < physical.length; at++) {
    const line = chomps ? (physical[at] ?? '').replace(/^\t+/, '') : (physical[at] ?? '');
    if (line === name) return { heredoc: { name, content, expands }, end: at + 1 };
    content += `${line}\n`;
  }
  throw new DockerfileProblem(`unterminated heredoc: found the end of the file, wanted a line "${name}"`);
}

/** Words outside of quotes that may be a mark: what is quoted as a whole, as in `echo "a <<EOF b"`, is none. */
const wordsOf = (text: string): readonly string[] =>
  text
    .replace(/(^|[^<-])("(?:[^"\\]|\\.)*"|'[^']*')/g, (_whole, before: string) => `${before} `)
    .split(/\s+/);
