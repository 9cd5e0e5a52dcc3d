import { isAbsolute } from 'node:path';
import { InvalidArgumentError } from 'commander';

/** `unix:///run/hull/hull.sock` → its path. */
export function parseHost(value: string): string {
  const path = value.startsWith('unix://') ? value.slice('unix://'.length) : '';
  if (isAbsolute(path)) return path;
  throw new InvalidArgumentError(`found ${JSON.stringify(value)}, wanted unix:///absolute/path`);
}

/** Collects `--storage-opt key=value`. */
export function parseStorageOption(
  value: string,
  before: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const at = value.indexOf('=');
  if (at > 0) return new Map([...before, [value.slice(0, at), value.slice(at + 1)]]);
  throw new InvalidArgumentError(`found ${JSON.stringify(value)}, wanted key=value`);
}
