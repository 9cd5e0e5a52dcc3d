import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first of the programs that is there to be run, as a path. Tests that need one say so in their title. */
export function findProgram(...names: readonly string[]): string | undefined {
  const dirs = (process.env['PATH'] ?? '').split(delimiter);
  return names.flatMap((name) => dirs.map((dir) => join(dir, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
