import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EvidenceFile, evidenceLimit, readEvidenceFiles } from './evidence-files.ts';
import { sampleResults } from './testing/sample.ts';

describe('readEvidenceFiles', () => {
  let dir = '';
  beforeEach(async () => {
    dir = join(await mkdtemp(join(tmpdir(), 'seatrial-evidence-')), 'report');
    await mkdir(dir);
  });
  afterEach(() => rm(join(dir, '..'), { recursive: true }));

  async function read(path: string): Promise<EvidenceFile | undefined> {
    const [first] = sampleResults.results;
    if (!first) throw new Error('the sample is empty');
    const results = [{ ...first, evidence: { console: path, rerun: 'x' } }];
    return (await readEvidenceFiles({ ...sampleResults, results }, dir)).get(path);
  }

  it('reads a file as text that can be shown', async () => {
    await writeFile(join(dir, 'a.log'), 'one\r\n\u001b[31mtwo\u001b[0m\u0000\n');
    expect(await read('a.log')).toEqual({ path: 'a.log', text: 'one\ntwo\ufffd\n', omitted: 0 });
  });

  it('keeps the end of a long one, from the start of a line', async () => {
    await writeFile(join(dir, 'a.log'), `${'ü'.repeat(evidenceLimit)}\n${'line\n'.repeat(10)}`);
    expect(await read('a.log')).toMatchObject({ text: 'line\n'.repeat(10), omitted: evidenceLimit + 51 });
  });

  it('says what it cannot read', async () => {
    expect((await read('none.log'))?.problem).toMatch(/^Cannot read none.log: ENOENT/);
  });

  it('reads nothing outside of the report', async () => {
    await writeFile(join(dir, '../secret'), 'secret');
    expect(await read('../secret')).toMatchObject({
      text: '',
      problem: expect.stringContaining('outside of the report folder'),
    });
  });
});
