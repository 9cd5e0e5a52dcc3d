import { HullError } from '../../base/errors.ts';

const prefix = 'org.systemd.property.';

/**
 * Annotations `org.systemd.property.<name>`, as runc and crun take them and podman writes them: a property's D-Bus name, and its value as GVariant
 * text (`true`, `'mixed'`, `uint64 5000000`, `['a.service']`). Answered as assignments of unit files. Pure.
 */
export function annotatedProperties(annotations: Readonly<Record<string, string>> = {}): readonly string[] {
  return Object.entries(annotations)
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, text]) => {
      const name = key.slice(prefix.length);
      const value = parseValue(text);
      if (value === undefined || !/^[A-Z][A-Za-z0-9]{2,}$/.test(name))
        throw new HullError(
          `Cannot use annotation ${key}: found ${JSON.stringify(text)}, wanted a property's name and true, false, a number (uint64 5), 'text' or ['text', …]`,
          { kind: 'invalid' },
        );
      // D-Bus has durations in microseconds and says so in their names; unit files have a unit with the number.
      return name.endsWith('USec') ? `${name.slice(0, -4)}Sec=${value}us` : `${name}=${value}`;
    });
}

function parseValue(text: string): string | undefined {
  const word = text.trim();
  if (word === 'true' || word === 'false') return word;
  const [, number] = /^(?:(?:u?int(?:16|32|64)|byte)\s+)?(-?\d+(?:\.\d+)?)$/.exec(word) ?? [];
  if (number !== undefined) return number;
  const [, list] = /^\[(.*)\]$/.exec(word) ?? [];
  if (list === undefined) return unquote(word);
  const items = list.split(',').map((item) => unquote(item.trim()));
  return items.every((item) => item !== undefined) ? items.join(' ') : undefined;
}

function unquote(word: string): string | undefined {
  return /^'([^'\n]*)'$/.exec(word)?.[1] ?? /^"([^"\n]*)"$/.exec(word)?.[1];
}
