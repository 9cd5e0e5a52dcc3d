import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { buildHullOci } from './build-hull-oci.ts';

const top = join(import.meta.dirname, '../..');
const cache = mkdtempSync(join(tmpdir(), 'hull-oci-cache-'));
afterAll(() => rmSync(cache, { recursive: true }));

// Linux alone has what is built, and the launch compiler two architectures.
const not = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch) ? undefined : 'not here';

it.skipIf(not)(
  `builds once for all who ask at once, and anew where a source has changed${not ? ` (${not})` : ''}`,
  async () => {
    const request = { top, cache, make: ['/bin/echo', 'made anew:'] };
    const programs = await Promise.all([buildHullOci(request), buildHullOci(request)]);
    expect(programs).toEqual([join(cache, 'hull-oci'), join(cache, 'hull-oci')]);
    const [program = ''] = programs;
    const artefacts = () => readdirSync(cache).filter((name) => /^[0-9a-f]{16}$/.test(name));
    expect(artefacts()).toHaveLength(1);
    expect(readdirSync(cache).filter((name) => name.startsWith('.'))).toEqual([]);
    const call = () => execFileSync(program, ['--version'], { encoding: 'utf8' });
    expect(call()).toMatch(/^hull-oci version \d/);

    await buildHullOci(request);
    expect(artefacts()).toHaveLength(1);

    const origin = join(cache, 'current/origin.json');
    const { sources, ...rest } = JSON.parse(readFileSync(origin, 'utf8')) as {
      sources: [string, number, number][];
    };
    const [[path, mtimeMs, size] = ['', 0, 0], ...others] = sources;
    writeFileSync(origin, JSON.stringify({ ...rest, sources: [[path, mtimeMs - 1, size], ...others] }));
    expect(call()).toBe('made anew: --version\n');
  },
  60_000,
);
