import { DockerfileProblem } from './problem.ts';

/** A command: in exec form (JSON), or words for the shell. */
export interface Command {
  readonly words: readonly string[];
  readonly isShell: boolean;
}

/** `["a", "b"]` or anything else, which is one word for the shell. No words where there is nothing. */
export function readCommand(rest: string): Command {
  const words = jsonWords(rest);
  if (words) return { words, isShell: false };
  return { words: rest === '' ? [] : [rest], isShell: true };
}

/** `["a", "b"]`, or words between spaces. */
export function readList(rest: string): readonly string[] {
  return jsonWords(rest) ?? rest.split(/\s+/).filter((word) => word !== '');
}

/** Undefined where it is no JSON list: Docker takes that for words. A list of other things than words is an error. */
export function jsonWords(rest: string): readonly string[] | undefined {
  if (!rest.startsWith('[')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(rest);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  const words = value.filter((word) => typeof word === 'string');
  if (words.length === value.length) return words;
  throw new DockerfileProblem('when using JSON array syntax, arrays must be comprised of strings only');
}
