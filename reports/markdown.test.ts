import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { compareResults } from './compare.ts';
import { toMarkdown } from './markdown.ts';
import type { Results } from './schema.ts';
import { hostile, hostileResults } from './testing/hostile.ts';
import { findProgram } from './testing/programs.ts';
import { sampleBaseline, sampleResults } from './testing/sample.ts';

const cmark = findProgram('cmark-gfm');
const needsCmark = cmark ? '' : ' (skipped: cmark-gfm is not installed, Debian package cmark-gfm)';

function rendered(markdown: string): string {
  return execFileSync(cmark ?? '', ['--unsafe', '-e', 'table', '-e', 'autolink'], {
    input: markdown,
    encoding: 'utf8',
  });
}

const log = { path: 'evidence/daemon.log', text: `${'line\n'.repeat(30)}the last\n${hostile}\n`, omitted: 0 };

describe('toMarkdown', () => {
  it('writes the sample as before', async () => {
    const comparison = compareResults(sampleResults, sampleBaseline);
    await expect(toMarkdown(sampleResults, { comparison })).toMatchFileSnapshot(
      'testing/golden/summary.md.txt',
    );
  });

  it('says what is green in one line', () => {
    const results = sampleResults.results.filter(({ outcome }) => outcome === 'pass');
    expect(toMarkdown({ ...sampleResults, results })).toMatch(/^## ✅ green: 78 passed\n/);
  });

  it('says that nothing was tried', () => {
    const text = toMarkdown({ ...sampleResults, results: [], hosts: [] });
    expect(text).toMatch(/^## ❌ red: no results\n/);
    expect(text).toContain('There is no result: nothing was tried');
  });

  it('shows the end of a log, and not the whole of it', () => {
    const text = toMarkdown(hostileResults, { files: new Map([[log.path, log]]) });
    expect(text).toContain('the last 20 lines');
    expect(text).toContain('the last\n');
    expect(text.match(/^line$/gm)?.length).toBeLessThan(30 * hostileResults.results.length);
  });

  it('stays below the size that GitHub takes, and counts what it leaves out', () => {
    const reason = 'x'.repeat(2_000);
    const results = Array.from({ length: 2_000 }, (_, index) => ({
      ...(sampleResults.results[0] ?? expect.fail('the sample is empty')),
      scenario: `scenario-${index}`,
      outcome: 'fail' as const,
      reason,
    }));
    const text = toMarkdown({ ...sampleResults, results });
    expect(Buffer.byteLength(text)).toBeLessThan(1024 * 1024);
    expect(text).toMatch(/… and \d+ problems more: see index.html/);
    expect(text).toContain('### Hosts');
  });

  it.skipIf(!cmark)(`renders as a table, links and folded details${needsCmark}`, () => {
    const html = rendered(toMarkdown(sampleResults));
    expect(html.match(/<table>/g)).toHaveLength(2);
    expect(html).toContain('<td><a href="#user-content-problem-1">❌ fail</a></td>');
    expect(html).toContain('<a id="problem-1"></a>');
    expect(html.match(/<details>/g)).toHaveLength(3);
  });

  it.skipIf(!cmark)(`lets hostile text make no markup${needsCmark}`, () => {
    const calm: Results = JSON.parse(
      JSON.stringify(hostileResults).replaceAll(JSON.stringify(hostile).slice(1, -1), 'calm'),
    );
    const elements = (results: Results, text: string) =>
      (
        rendered(toMarkdown(results, { files: new Map([[log.path, { ...log, text }]]) })).match(
          /<\/?[a-z][a-z0-9]*/gi,
        ) ?? []
      ).join(' ');
    expect(elements(hostileResults, hostile)).toBe(elements(calm, 'calm'));
  });
});
