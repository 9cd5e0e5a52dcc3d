import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resultsJsonSchema } from './json-schema.ts';
import { parseResults, readResults } from './parse.ts';
import { sampleResults } from './testing/sample.ts';

/** The sample, with one value set. */
function sampleWith(path: readonly (string | number)[], value: unknown): string {
  const copy: unknown = structuredClone(sampleResults);
  const last = path.at(-1) ?? '';
  const parent = path.slice(0, -1).reduce<unknown>((at, key) => Reflect.get(Object(at), key), copy);
  Reflect.set(Object(parent), last, value);
  return JSON.stringify(copy);
}

describe('parseResults', () => {
  it('gives back what was written', () => {
    expect(parseResults(JSON.stringify(sampleResults), 'a.json')).toEqual(sampleResults);
  });

  it('reads files of later versions, which have more fields', () => {
    expect(parseResults(sampleWith(['weather'], 'calm'), 'a.json')).toEqual(sampleResults);
  });

  it.each<[string, readonly (string | number)[], unknown, string]>([
    [
      'another outcome',
      ['results', 3, 'outcome'],
      'passed',
      'results[3].outcome is "passed", wanted one of pass, fail, skip, flaky, infra, missing',
    ],
    [
      'a missing field',
      ['results', 0, 'host'],
      undefined,
      'results[0].host is missing, wanted a value of type string',
    ],
    ['another type', ['hosts', 1, 'name'], 7, 'hosts[1].name is 7, wanted a value of type string'],
    ['another version', ['version'], 2, 'version is 2, wanted 1'],
    ['a negative time', ['durationMs'], -1, 'durationMs is -1, wanted at least 0'],
    ['a bad time', ['startedAt'], 'noon', 'startedAt is "noon", wanted a time such as 2026-01-31T12:00:00Z'],
    [
      'a failure without a reason',
      ['results', 0, 'outcome'],
      'fail',
      'results[0].reason is missing, wanted the reason of the fail',
    ],
    [
      'evidence outside of the report',
      ['results', 0, 'evidence'],
      { rerun: 'x', console: '../../secret' },
      'results[0].evidence.console is "../../secret", wanted a path inside the report folder',
    ],
    [
      'a flaky result without its attempts',
      ['results', 0],
      { ...sampleResults.results[0], outcome: 'flaky', reason: 'sometimes' },
      'results[0].attempts is missing',
    ],
    [
      'more passed attempts than there were',
      ['results', 0, 'attempts'],
      { passed: 3, total: 2 },
      'results[0].attempts.passed is 3, wanted at most the total, 2',
    ],
    [
      'one job twice',
      ['results', 1],
      sampleResults.results[0],
      'results[1] is debian-11/hull/overlay:start-stop/exit-code-is-kept again, wanted it only as results[0]',
    ],
  ])('names %s: field, found and wanted', (_, path, value, message) => {
    expect(() => parseResults(sampleWith(path, value), 'a.json')).toThrow(
      `Cannot read results from a.json: ${message}`,
    );
  });

  it('tells five problems and counts the rest', () => {
    const results = sampleResults.results.map((result) => ({ ...result, host: 1 }));
    expect(() => parseResults(JSON.stringify({ ...sampleResults, results }), 'a.json')).toThrow(
      /; and 79 more$/,
    );
  });

  it.each([
    ['', 'not JSON: the file is empty'],
    ['{"version": 1', 'not JSON: '],
    ['[]', 'the file is [], wanted a value of type object'],
  ])('refuses the text %j', (text, message) => {
    expect(() => parseResults(text, 'a.json')).toThrow(`Cannot read results from a.json: ${message}`);
  });

  it.each(['/etc/passwd', '..', '../x', 'a/../../b', 'a\\..\\b', '\\\\server\\x', ''])(
    'refuses the evidence path %j',
    (path) => {
      expect(() =>
        parseResults(sampleWith(['results', 0, 'evidence'], { rerun: 'x', console: path }), 'a.json'),
      ).toThrow('results[0].evidence.console');
    },
  );

  it.each(['a', 'evidence/b.log', 'a/..b/c..', '...'])('takes the evidence path %j', (path) => {
    const text = sampleWith(['results', 0, 'evidence'], { rerun: 'x', console: path });
    expect(parseResults(text, 'a.json').results[0]?.evidence?.console).toBe(path);
  });
});

describe('readResults', () => {
  it('reads a file and names one that is not there', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'seatrial-parse-'));
    try {
      const file = join(dir, 'results.json');
      await expect(readResults(file)).rejects.toThrow(`Cannot read results from ${file}: ENOENT`);
      await writeFile(file, JSON.stringify(sampleResults));
      expect(await readResults(file)).toEqual(sampleResults);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

describe('results.schema.json', () => {
  it('is up to date (node reports/main.ts schema)', async () => {
    const published: unknown = JSON.parse(
      await readFile(join(import.meta.dirname, 'results.schema.json'), 'utf8'),
    );
    expect(published).toEqual(JSON.parse(resultsJsonSchema()));
  });
});
