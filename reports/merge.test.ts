import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mergeResults } from './merge.ts';
import { parseResults } from './parse.ts';
import type { Results } from './schema.ts';
import { sampleResults, writeSampleEvidence } from './testing/sample.ts';
import { writeReports } from './write.ts';

/** The sample's results of one host, as its shard would have written them. */
function shard(host: string, changes: Partial<Results> = {}): Results {
  return {
    ...sampleResults,
    hosts: sampleResults.hosts.filter(({ name }) => name === host),
    results: sampleResults.results.filter((result) => result.host === host),
    ...changes,
  };
}

const a = { from: 'a/results.json', results: shard('debian-11') };

describe('mergeResults', () => {
  it('makes of the shards the run they were cut from', () => {
    expect(mergeResults([a, { from: 'b/results.json', results: shard('debian-13') }])).toEqual(sampleResults);
  });

  it('lasts from the first start to the last end', () => {
    const later = shard('debian-13', {
      startedAt: '2026-01-31T12:10:00.000Z',
      durationMs: 60_000,
      runId: 'other',
    });
    expect(mergeResults([{ from: 'b', results: later }, a])).toMatchObject({
      startedAt: '2026-01-31T12:00:00.000Z',
      durationMs: 660_000,
      runId: 'other+sample-not-a-real-run',
    });
  });

  it('refuses a job that is in two shards', () => {
    expect(() => mergeResults([a, { ...a, from: 'b/results.json' }])).toThrow(
      'Cannot merge b/results.json with a/results.json: both have a result of debian-11/hull/overlay:start-stop/exit-code-is-kept',
    );
  });

  it('refuses shards of different commits', () => {
    expect(() => mergeResults([a, { from: 'b', results: shard('debian-13', { commit: 'ffff' }) }])).toThrow(
      `Cannot merge b with a/results.json: it is of commit ffff, wanted ${sampleResults.commit}`,
    );
  });

  it('refuses nothing at all', () => {
    expect(() => mergeResults([])).toThrow('no shard was given');
  });

  it('joins a host that two shards started, and refuses two hosts of one name', () => {
    const half = (keep: (index: number) => boolean) =>
      shard('debian-11', { results: a.results.results.filter((_, i) => keep(i)) });
    const one = { from: 'one', results: half((i) => i % 2 === 0) };
    const two = { from: 'two', results: half((i) => i % 2 === 1) };
    expect(mergeResults([one, two]).hosts.map(({ phases }) => phases.length)).toEqual([6]);
    const hosts = two.results.hosts.map((host) => ({ ...host, kernel: '4.19' }));
    expect(() => mergeResults([one, { ...two, results: { ...two.results, hosts } }])).toThrow(
      'Cannot merge two with one: host debian-11 has the kernel "4.19", wanted "5.10.0-36-amd64" as in the other',
    );
  });
});

describe('node reports/main.ts', () => {
  let dir = '';
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'seatrial-reports-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  const main = async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
    const env = { ...process.env, NO_COLOR: '1', NO_WARNINGS: '1' };
    try {
      const done = await promisify(execFile)(
        process.execPath,
        [join(import.meta.dirname, 'main.ts'), ...args],
        { env },
      );
      return { code: 0, ...done };
    } catch (error) {
      const { code, stdout, stderr } = Object(error);
      return { code, stdout, stderr };
    }
  };
  const write = async (name: string, results: Results): Promise<string> => {
    await writeFile(join(dir, name), JSON.stringify(results));
    return join(dir, name);
  };
  const green: Results = {
    ...sampleResults,
    results: sampleResults.results.filter(({ outcome }) => outcome === 'pass'),
  };

  it('merge joins reports with their evidence, and is red when the run is', async () => {
    const shards = ['debian-11', 'debian-13'].map((host) => ({ host, dir: join(dir, host) }));
    for (const { host, dir } of shards) {
      await writeSampleEvidence(dir);
      await writeReports(shard(host), dir);
    }
    const files = shards.map(({ dir }) => join(dir, 'results.json'));
    const { code, stdout } = await main('merge', '-o', join(dir, 'all'), ...files);
    expect(stdout).toContain('78 passed, 1 failed, 4 skipped, 1 flaky on 2 hosts');
    expect(code).toBe(1);
    const merged = parseResults(await readFile(join(dir, 'all/results.json'), 'utf8'), 'merged');
    expect(merged.results.map(({ outcome }) => outcome)).toEqual(
      sampleResults.results.map(({ outcome }) => outcome),
    );
    const log = merged.results.find(({ outcome }) => outcome === 'fail')?.evidence?.daemonLog ?? '';
    expect(log).toBe('evidence/shard-1/debian-11-hull-devicemapper/released-when-holder-goes/daemon.log');
    expect(await readFile(join(dir, 'all', log), 'utf8')).toContain('held by pid 2214');
    expect(await readFile(join(dir, 'all/index.html'), 'utf8')).toContain('held by pid 2214');
  });

  it('merge takes no part for the whole: a lost shard is named, and what there is, is written', async () => {
    await writeReports(
      { ...green, results: green.results.filter(({ host }) => host === 'debian-11') },
      join(dir, 'a'),
    );
    const args = ['-o', join(dir, 'all'), '--hosts', 'debian-11,debian-13', join(dir, 'a/results.json')];
    const { code, stdout, stderr } = await main('merge', ...args);
    expect(stdout).toContain('✓ green');
    expect(stderr).toBe('Cannot vouch for the whole run: no shard has results of debian-13\n');
    expect(code).toBe(2);
  });

  it('render is green when the run is', async () => {
    const { code, stdout } = await main('render', await write('results.json', green));
    expect(stdout).toContain('✓ green: every required result passed');
    expect(code).toBe(0);
    expect(await readFile(join(dir, 'junit.xml'), 'utf8')).toContain('tests="78"');
  });

  it('compare tells regressions by its exit status', async () => {
    const before = await write('before.json', green);
    const [first, ...rest] = green.results;
    if (!first) throw new Error('the sample is empty');
    const after = await write('after.json', {
      ...green,
      results: [{ ...first, outcome: 'fail', reason: 'x' }, ...rest],
    });
    expect(await main('compare', before, before)).toMatchObject({ code: 0, stdout: 'no changes\n' });
    const { code, stdout } = await main('compare', before, after);
    expect(stdout).toMatch(
      /^regressed {6}pass → fail {7}debian-11\/hull\/overlay:start-stop\/exit-code-is-kept\n1 regressed\n$/,
    );
    expect(code).toBe(1);
    expect(await main('compare', after, before)).toMatchObject({ code: 0 });
  });

  it('says in one line what it cannot do, with status 2', async () => {
    const { code, stderr } = await main('compare', join(dir, 'none.json'), join(dir, 'none.json'));
    expect(stderr).toMatch(/^Cannot read results from .*none\.json: ENOENT.*\n$/);
    expect(code).toBe(2);
  });
});
