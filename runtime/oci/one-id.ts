import { HullError } from '../base/errors.ts';

/** The one word that a command takes. */
export function oneId(words: readonly string[], command: string): string {
  const [id, ...more] = words;
  if (id === undefined || more.length > 0)
    throw new HullError(
      `Cannot read the command line: found ${words.length} words after "${command}", wanted one, the container's id`,
      { kind: 'invalid' },
    );
  return id;
}
