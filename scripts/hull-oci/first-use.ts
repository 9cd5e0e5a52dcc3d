/** What `runtime/bin/hull-oci` runs where nothing is built, or the sources have changed: builds, then makes the call. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { buildHullOci } from './build-hull-oci.ts';

const top = join(import.meta.dirname, '../..');
const node = process.execPath;
const make = [node, '--disable-warning=ExperimentalWarning', import.meta.filename];
const args = process.argv.slice(2);

let program: readonly string[];
try {
  program = [await buildHullOci({ top, cache: findCache(), make })];
} catch {
  // No place to write to, no bundler: from the sources then, only slower.
  program = [node, '--disable-warning=ExperimentalWarning', join(top, 'runtime/oci/oci.ts')];
}
const [file = ''] = program;
process.execve?.(file, [...program, ...args]);

/** The places where `runtime/bin/hull-oci` looks: the first that can be written to. */
function findCache(): string {
  const system =
    process.getuid?.() === 0 ? '/var/cache' : (process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'));
  const places = [join(top, 'node_modules/.cache/hull-oci'), join(system, 'hull-oci', top)];
  const found = places.find((place) => {
    try {
      mkdirSync(place, { recursive: true });
      accessSync(place, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined)
    throw new Error(`Cannot keep what is built: none of ${places.join(', ')} can be written to`);
  return found;
}
