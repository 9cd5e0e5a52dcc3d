import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import { builtinsPlugin } from '../../harness/engines/builtins-plugin.ts';
import { inOneByte } from '../../harness/engines/in-one-byte.ts';

/** How long an artefact that was replaced may still be in somebody's hands. */
const graceMs = 3_600_000;

/** Megabytes of new objects before the first collection: for a resident. A call makes fewer than the default. */
const youngSpace = '--min-semi-space-size=16';

/** No machine code: a call is over before what V8 would compile of it has paid. A resident must not have it. */
const interpreted = '--jitless';

const starterFile = join(import.meta.dirname, 'alone.cjs');

/** `origin.json`, which `runtime/oci/artefact.ts` reads. */
interface Origin {
  readonly key: string;
  /** Path, time of the last change (ms), size. */
  readonly sources: readonly (readonly [string, number, number])[];
  readonly make: readonly string[];
  readonly node: readonly string[];
}

export interface BuildRequest {
  /** The checkout. */
  readonly top: string;
  /** Where the artefacts are kept. */
  readonly cache: string;
  /** Argv that builds anew, as `runtime/oci/artefact.ts` wants it. */
  readonly make: readonly string[];
}

/**
 * Makes one file of `runtime/oci/built.ts`, and puts the client that goes first to a resident
 * beside it: `<cache>/hull-oci`. Any number may build at once; every file is put in place whole.
 */
export async function buildHullOci(request: BuildRequest): Promise<string> {
  const { top, cache } = request;
  mkdirSync(cache, { recursive: true });
  const program = join(cache, 'hull-oci');
  if (isCurrent(cache)) return program;
  const { code, modules } = await bundle(top);
  const sources = [...modules, starterFile].map((path) => {
    const { mtimeMs, size } = statSync(path);
    return [path, mtimeMs, size] as const;
  });
  const hash = createHash('sha256').update(JSON.stringify([process.version, process.execPath, sources]));
  const key = hash.update(code).digest('hex').slice(0, 16);
  const folder = join(cache, key);
  const node = [process.execPath, interpreted];
  const temporary = mkdtempSync(join(cache, '.new-'));
  try {
    writeFileSync(join(temporary, 'hull-oci.cjs'), code);
    writeFileSync(
      join(temporary, 'origin.json'),
      JSON.stringify({ key, sources, make: request.make, node } satisfies Origin),
    );
    const names = ['alone', 'fresh'];
    for (const name of names) writeFileSync(join(temporary, name), starter(process.execPath));
    for (const name of [...names, '.']) chmodSync(join(temporary, name), 0o755);
    moveTo(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  const alone = join(folder, 'alone');
  run(alone, 'resident', '--only-client', '--client', program);
  point(cache, key);
  removeOld(cache, key);
  return program;
}

/** Somebody may have built since the one that is out of date: a client of a resident knows its own alone. */
function isCurrent(cache: string): boolean {
  try {
    const { sources } = JSON.parse(readFileSync(join(cache, 'current/origin.json'), 'utf8')) as Origin;
    return sources.every(([path, mtimeMs, size]) => {
      const found = statSync(path);
      return found.mtimeMs === mtimeMs && found.size === size;
    });
  } catch {
    return false;
  }
}

/** The link is put in place last: what it leads to is whole. */
function point(cache: string, key: string): void {
  const temporary = join(cache, `.current-${process.pid}`);
  rmSync(temporary, { force: true });
  symlinkSync(key, temporary);
  renameSync(temporary, join(cache, 'current'));
}

async function bundle(top: string) {
  const platform = process.arch === 'arm64' ? 'arm64' : 'x64';
  const folder = dirname(
    createRequire(join(top, 'package.json')).resolve(`@koromix/koffi-linux-${platform}`),
  );
  const native = join(folder, `linux_${platform}/koffi.node`);
  await using bundler = await rolldown({
    input: join(top, 'runtime/oci/built.ts'),
    platform: 'node',
    plugins: [
      builtinsPlugin(),
      {
        name: 'koffi',
        // Its own way to its binary asks for a dozen files. The binary stays where npm has put it.
        load(id) {
          if (!/\/node_modules\/koffi\/.*\.js$/.test(id)) return null;
          const code = `const found = { exports: {} };\nprocess.dlopen(found, ${JSON.stringify(native)});\nexport default found.exports;`;
          return { code, moduleType: 'js' };
        },
      },
    ],
    logLevel: 'silent',
  });
  const { output } = await bundler.generate({ format: 'cjs', codeSplitting: false, minify: 'dce-only' });
  const [chunk] = output;
  const modules = Object.keys(chunk.modules).filter((path) => path.startsWith('/'));
  return { code: inOneByte(chunk.code), modules };
}

/** One start of a process less than by a shell; the kernel takes a first line of 127 bytes without blanks in the name. */
function starter(node: string): string {
  const lines = readFileSync(starterFile, 'utf8');
  const first = `#!${node} ${youngSpace}\n`;
  if (first.length <= 127 && !/\s/.test(node)) return first + lines;
  // A shell passes over what node reads as a comment, and the other way round.
  return `#!/bin/sh\n':' //; exec '${node.replaceAll("'", `'\\''`)}' ${youngSpace} "$0" "$@"\n${lines}`;
}

/** Somebody else may have been first. */
function moveTo(temporary: string, folder: string): void {
  try {
    renameSync(temporary, folder);
  } catch (error) {
    if (!['EEXIST', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

function run(program: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0)
    throw new Error(
      `Cannot build hull-oci: ${dirname(program)}/alone ${args.join(' ')}: ${error?.message ?? stderr}`,
    );
}

function removeOld(cache: string, key: string): void {
  for (const name of readdirSync(cache)) {
    if ([key, 'hull-oci', 'current'].includes(name)) continue;
    const path = join(cache, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found && Date.now() - found.mtimeMs > graceMs) rmSync(path, { recursive: true, force: true });
  }
}
