/**
 * What `runtime/bin/hull-oci` runs where nothing is built, and a built form whose sources have changed: builds, and prints what is to be
 * executed with the call's arguments behind it, a word a line.
 */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { buildHullOci } from './build-hull-oci.ts';

const top = join(import.meta.dirname, '../..');
const node = process.execPath;
const make = [node, '--disable-warning=ExperimentalWarning', import.meta.filename];

let program: readonly string[];
try {
  program = [await buildHullOci({ top, cache: findCache(), make })];
} catch {
  // No place to write to, no bundler: from the sources then, only slower.
  program = [node, '--disable-warning=ExperimentalWarning', join(top, 'runtime/oci/oci.ts')];
}
process.stdout.write(program.map((word) => `${word}\n`).join(''));

/** The places where `runtime/bin/hull-oci` looks: the first that can be written to. */
function findCache(): string {
  const own = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  // Root of a user namespace has only its own.
  const systems = process.getuid?.() === 0 ? ['/var/cache', own] : [own];
  const places = [
    join(top, 'node_modules/.cache/hull-oci'),
    ...systems.map((system) => join(system, 'hull-oci', top)),
  ];
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
