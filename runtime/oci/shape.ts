/**
 * What a value must look like: the first thing that is wrong with it, and where. So much of a schema library as config.json needs: zod's
 * own start costs the command line more than the launch of a container.
 */
export type Shape = (value: unknown, path: Path) => Wrong | undefined;

export type Path = readonly (string | number)[];

export interface Wrong {
  readonly path: Path;
  readonly message: string;
}

const wrong = (value: unknown, path: Path, wanted: string): Wrong => ({
  path,
  message:
    value === undefined ? `found nothing, wanted ${wanted}` : `found ${shown(value)}, wanted ${wanted}`,
});

/** In an error message: values may be large. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

export const text: Shape = (value, path) =>
  typeof value === 'string' ? undefined : wrong(value, path, 'a text');

export const flag: Shape = (value, path) =>
  typeof value === 'boolean' ? undefined : wrong(value, path, 'true or false');

export const number: Shape = (value, path) =>
  typeof value === 'number' ? undefined : wrong(value, path, 'a number');

export function matching(pattern: RegExp, wanted: string): Shape {
  return (value, path) =>
    typeof value === 'string' && pattern.test(value) ? undefined : wrong(value, path, wanted);
}

/** A whole number in a range, the ends included. */
export function whole(least: number, most: number = Number.MAX_SAFE_INTEGER): Shape {
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  return (value, path) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : wrong(value, path, `a whole number ${range}`);
}

export function oneOf(...words: readonly string[]): Shape {
  return (value, path) =>
    words.includes(value as string)
      ? undefined
      : wrong(value, path, `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`);
}

export function list(each: Shape, least = 0): Shape {
  return (value, path) => {
    if (!Array.isArray(value)) return wrong(value, path, 'a list');
    if (value.length < least)
      return { path, message: `found ${value.length} entries, wanted at least ${least}` };
    return first(
      value.map((entry, index) => [index, entry] as const),
      path,
      () => each,
    );
  };
}

/** An object with any keys. */
export function map(each: Shape): Shape {
  return (value, path) =>
    isObject(value) ? first(Object.entries(value), path, () => each) : wrong(value, path, 'an object');
}

/** Keys that are not named may hold anything: later versions of the specification have more. */
export function object(fields: Readonly<Record<string, Shape>>): Shape {
  return (value, path) => {
    if (!isObject(value)) return wrong(value, path, 'an object');
    return first(
      Object.keys(fields).map((key) => [key, value[key]] as const),
      path,
      (key) => fields[key],
    );
  };
}

/** May be absent. */
export function optional(shape: Shape): Shape {
  return (value, path) => (value === undefined ? undefined : shape(value, path));
}

/** May be absent, or null: Go's encoder writes that for empty lists and maps. */
export function orNull(shape: Shape): Shape {
  return (value, path) => (value === undefined || value === null ? undefined : shape(value, path));
}

function first<Key extends string | number>(
  entries: readonly (readonly [Key, unknown])[],
  path: Path,
  shapeOf: (key: Key) => Shape | undefined,
): Wrong | undefined {
  for (const [key, value] of entries) {
    const found = shapeOf(key)?.(value, [...path, key]);
    if (found) return found;
  }
  return undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
