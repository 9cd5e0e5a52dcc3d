import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { buildHullOci } from './build-hull-oci.ts';

const top = join(import.meta.dirname, '../..');
const cache = mkdtempSync(join(tmpdir(), 'hull-oci-cache-'));
afterAll(() => rmSync(cache, { recursive: true }));

/** What the program has written to its descriptor 3. */
function withThird(...words: readonly string[]): string {
  const file = join(cache, '.third');
  execFileSync('/bin/sh', ['-c', 'exec 3>"$0"; "$@" || :', file, ...words], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return readFileSync(file, 'utf8');
}

// Linux alone has what is built, and the launch compiler two architectures.
const not = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch) ? undefined : 'not here';

it.skipIf(not)(
  `builds once for all who ask at once, and anew where a source has changed${not ? ` (${not})` : ''}`,
  async () => {
    // Anew, the program writes to what it was called with as descriptor 3.
    const told = 'echo "made anew: $*" >&3';
    const make = ['/bin/sh', '-c', `printf '%s\\n' /bin/sh -c '${told}' sh`];
    const request = { top, cache, make };
    const programs = await Promise.all([buildHullOci(request), buildHullOci(request)]);
    expect(programs).toEqual([join(cache, 'hull-oci'), join(cache, 'hull-oci')]);
    const [program = ''] = programs;
    const artefacts = () => readdirSync(cache).filter((name) => /^[0-9a-f]{16}$/.test(name));
    expect(artefacts()).toHaveLength(1);
    expect(readdirSync(cache).filter((name) => name.startsWith('.'))).toEqual([]);
    const call = () => execFileSync(program, ['--version'], { encoding: 'utf8' });
    expect(call()).toMatch(/^hull-oci version \d/);
    // What V8 made of it is kept, and taken the next time.
    const code = join(cache, 'current/fresh-other.code');
    const { mtimeMs: kept } = statSync(code);
    expect(call()).toMatch(/^hull-oci version \d/);
    expect(statSync(code).mtimeMs).toBe(kept);

    await buildHullOci(request);
    expect(artefacts()).toHaveLength(1);

    // One more source, which is ours to change.
    const source = join(cache, '.source');
    writeFileSync(source, '');
    const { mtimeMs, size } = statSync(source);
    const origin = join(cache, 'current/origin.json');
    const { sources, ...rest } = JSON.parse(readFileSync(origin, 'utf8')) as { sources: unknown[] };
    writeFileSync(origin, JSON.stringify({ ...rest, sources: [...sources, [source, mtimeMs, size]] }));
    const alone = join(cache, 'current/alone');
    execFileSync(alone, ['resident', '--only-client', '--client', program]);
    expect(call()).toMatch(/^hull-oci version \d/);
    utimesSync(source, 1, 1);
    for (const file of [program, alone]) expect(withThird(file, '--version')).toBe('made anew: --version\n');
  },
  60_000,
);

it.skipIf(not)(
  `a first use hands on what is open from 3 on${not ? ` (${not})` : ''}`,
  () => {
    // A checkout without anything built, but for the sources that it shares.
    const other = join(cache, '.other');
    mkdirSync(join(other, 'node_modules'), { recursive: true });
    for (const name of ['runtime', 'scripts', 'node_modules/node'])
      symlinkSync(join(top, name), join(other, name));
    const words = ['--root', join(cache, '.none'), '--log', '/proc/self/fd/3', 'state', 'nobody'];
    expect(withThird(join(other, 'runtime/bin/hull-oci'), ...words)).toContain('nobody does not exist');
  },
  60_000,
);
