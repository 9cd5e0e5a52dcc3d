/** Files of one group in one hierarchy, as far as statistics ask: undefined for a file that this kernel or group has not. */
export interface Reader {
  readonly version: 1 | 2;
  /** Trimmed content. */
  text(file: string): string | undefined;
  /** Names of the files in the group's folder. */
  names(): readonly string[];
}

/** One number; `max` and v1's largest page-aligned number are undefined, as there is no limit then. */
export function numberIn(reader: Reader, file: string): number | undefined {
  return limitOf(reader.text(file));
}

/** The same for a number that is not in a file of its own. */
export function limitOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '' || text === 'max') return undefined;
  const number = Number(text);
  return Number.isNaN(number) || number > Number.MAX_SAFE_INTEGER ? undefined : number;
}

/** A file of `key value` lines. */
export function flatIn(reader: Reader, file: string): Readonly<Record<string, number>> | undefined {
  const text = reader.text(file);
  if (text === undefined) return undefined;
  return Object.fromEntries(
    text
      .split('\n')
      .map((line) => line.split(' '))
      .filter((words) => words.length === 2)
      .map(([key = '', value]) => [key, Number(value)]),
  );
}

/** A file of `name key=value key=value` lines. */
export function nestedIn(
  reader: Reader,
  file: string,
): readonly { readonly name: string; readonly fields: Readonly<Record<string, string>> }[] {
  const lines = reader.text(file)?.split('\n') ?? [];
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const [name = '', ...pairs] = line.split(' ');
      return {
        name,
        fields: Object.fromEntries(
          pairs.map((pair): [string, string] => {
            const at = pair.indexOf('=');
            return [pair.slice(0, at), pair.slice(at + 1)];
          }),
        ),
      };
    });
}
