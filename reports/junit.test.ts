import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { toJunit } from './junit.ts';
import type { Result, Results } from './schema.ts';
import { controlCharacters, hostileResults } from './testing/hostile.ts';
import { findProgram } from './testing/programs.ts';
import { sampleResults } from './testing/sample.ts';

const xmllint = findProgram('xmllint');
const needsXmllint = xmllint ? '' : ' (skipped: xmllint is not installed, Debian package libxml2-utils)';

/** What an independent parser says an XPath is. */
function xpath(xml: string, path: string): string {
  return execFileSync(xmllint ?? '', ['--nonet', '--xpath', path, '-'], {
    input: xml,
    encoding: 'utf8',
  }).trimEnd();
}

function only(result: Partial<Result>): Results {
  const base = {
    host: 'h',
    kernel: 'k',
    engine: 'hull',
    driver: 'vfs',
    area: 'a',
    scenario: 's',
    durationMs: 1_500,
  };
  return {
    ...sampleResults,
    results: [{ ...base, outcome: 'pass', required: true, reason: 'why', ...result }],
  };
}

describe('toJunit', () => {
  it('writes the sample as before', async () => {
    await expect(toJunit(sampleResults)).toMatchFileSnapshot('testing/golden/junit.xml');
  });

  it.each<[Partial<Result>, string]>([
    [{ outcome: 'pass' }, '<testcase name="a/s" classname="h.hull.vfs" time="1.500"/>'],
    [{ outcome: 'skip' }, '<skipped message="why"/>'],
    [{ outcome: 'fail' }, '<failure message="why" type="fail">'],
    [
      { outcome: 'flaky', attempts: { passed: 2, total: 3 } },
      '<failure message="flaky, passed 2 of 3 attempts: why" type="flaky">',
    ],
    [{ outcome: 'infra' }, '<error message="why" type="infra">'],
    [{ outcome: 'missing' }, '<error message="why" type="missing">'],
  ])('maps %j', (result, wanted) => {
    expect(toJunit(only(result))).toContain(wanted);
  });

  it('keeps no character that XML forbids', () => {
    const xml = toJunit(hostileResults);
    expect(controlCharacters(xml)).toEqual([]);
    expect(xml).not.toMatch(/[\ufffe\uffff]/);
    expect(xml.isWellFormed()).toBe(true);
    expect(xml).not.toContain(']]>');
  });

  it.skipIf(!xmllint)(`is XML with the right sums${needsXmllint}`, () => {
    const xml = toJunit(sampleResults);
    expect(xpath(xml, 'string(/testsuites/@tests)')).toBe('84');
    expect(xpath(xml, 'count(//testsuite)')).toBe('6');
    expect(xpath(xml, 'count(//testcase)')).toBe('84');
    expect(xpath(xml, 'sum(//testsuite/@failures)')).toBe(xpath(xml, 'count(//failure)'));
    expect(xpath(xml, 'sum(//testsuite/@skipped)')).toBe(xpath(xml, 'count(//skipped)'));
  });

  it.skipIf(!xmllint)(`gives hostile text back as text${needsXmllint}`, () => {
    const xml = toJunit(hostileResults);
    expect(xpath(xml, 'count(//*)')).toBe(
      xpath(
        xml,
        'count(//testsuites | //testsuite | //testcase | //properties | //property | //failure | //error | //skipped)',
      ),
    );
    expect(xpath(xml, 'string((//failure)[1])')).toContain(
      '<script>window.pwned = 1</script> ~ "><img src=x onerror=',
    );
    expect(xpath(xml, 'string((//failure)[1]/@message)')).toContain('| a | b |\n| --- | --- |\n```');
  });
});
