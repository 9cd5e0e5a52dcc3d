import { cellOf, type HostReport, jobOf, type Result, type Results, scenarioOf } from './schema.ts';
import { printable } from './text.ts';

/**
 * JUnit XML as CI systems read it: a test suite per cell, a test case per scenario. fail and flaky are failures, infra and
 * missing are errors (the product was not shown to be at fault), skip is skipped. Times are in seconds.
 */
export function toJunit(results: Results): string {
  const cells = Map.groupBy(results.results, cellOf);
  const hosts = new Map(results.hosts.map((host) => [host.name, host]));
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>'];
  lines.push(
    `<testsuites${attributes({ name: 'seatrial', ...totals(results.results), time: seconds(results.durationMs) })}>`,
  );
  for (const [cell, cases] of cells) lines.push(...suite(cell, cases, hosts, results.startedAt));
  lines.push('</testsuites>', '');
  return lines.join('\n');
}

function suite(
  cell: string,
  cases: readonly Result[],
  hosts: ReadonlyMap<string, HostReport>,
  startedAt: string,
): string[] {
  const first = cases[0];
  const host = first && hosts.get(first.host);
  const time = seconds(cases.reduce((sum, result) => sum + result.durationMs, 0));
  const facts = {
    host: first?.host,
    engine: first?.engine,
    driver: first?.driver,
    kernel: first?.kernel,
    distribution: host?.distribution,
    cgroups: host?.cgroups,
    accelerator: host?.accelerator,
  };
  const head = {
    name: cell,
    ...totals(cases),
    time,
    timestamp: startedAt.replace(/(\.\d+)?Z$/, ''),
    hostname: first?.host,
  };
  return [
    `  <testsuite${attributes(head)}>`,
    '    <properties>',
    ...Object.entries(facts)
      .filter(([, value]) => value !== undefined && value !== '')
      .map(([name, value]) => `      <property${attributes({ name, value })}/>`),
    '    </properties>',
    ...cases.flatMap(testCase),
    '  </testsuite>',
  ];
}

function testCase(result: Result): string[] {
  const head = attributes({
    name: scenarioOf(result),
    classname: cellOf(result).replaceAll('/', '.'),
    time: seconds(result.durationMs),
  });
  const body = verdictElement(result);
  return body ? [`    <testcase${head}>`, `      ${body}`, '    </testcase>'] : [`    <testcase${head}/>`];
}

function verdictElement(result: Result): string | undefined {
  const message = result.reason ?? result.outcome;
  switch (result.outcome) {
    case 'pass':
      return undefined;
    case 'skip':
      return `<skipped${attributes({ message })}/>`;
    case 'fail':
      return element('failure', { message, type: 'fail' }, explanation(result));
    case 'flaky': {
      const { passed, total } = result.attempts ?? { passed: 0, total: 0 };
      const text = `flaky, passed ${passed} of ${total} attempts: ${message}`;
      return element('failure', { message: text, type: 'flaky' }, explanation(result));
    }
    case 'infra':
    case 'missing':
      return element('error', { message, type: result.outcome }, explanation(result));
    default:
      return result.outcome satisfies never;
  }
}

/** Everything that fits in text; the evidence files are named, not copied. */
function explanation(result: Result): string {
  const { evidence } = result;
  const lines = [jobOf(result), result.reason ?? ''];
  if (!result.required) lines.push('This result is not required: it does not make the run red.');
  if (evidence?.step) lines.push(`step: ${evidence.step}`);
  if (evidence?.errno) lines.push(`errno: ${evidence.errno}`);
  for (const holder of evidence?.holders ?? []) lines.push(`held by: ${holder}`);
  for (const { kind, what, owner } of evidence?.leaks ?? []) {
    lines.push(`leak: ${kind} ${what}${owner ? ` (owner: ${owner})` : ''}`);
  }
  if (evidence?.detail) lines.push(evidence.detail);
  for (const file of [evidence?.daemonLog, evidence?.console, evidence?.mountinfo])
    if (file) lines.push(`evidence: ${file}`);
  if (evidence) lines.push(`run again: ${evidence.rerun}`);
  return lines.filter((line) => line !== '').join('\n');
}

function totals(cases: readonly Result[]): Record<string, string> {
  const how = (...wanted: Result['outcome'][]) =>
    String(cases.filter(({ outcome }) => wanted.includes(outcome)).length);
  return {
    tests: String(cases.length),
    failures: how('fail', 'flaky'),
    errors: how('infra', 'missing'),
    skipped: how('skip'),
  };
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

function element(name: string, of: Record<string, string | undefined>, text: string): string {
  return `<${name}${attributes(of)}>${escapeXml(text)}</${name}>`;
}

function attributes(of: Record<string, string | undefined>): string {
  return Object.entries(of)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        ` ${name}="${escapeXml(value ?? '')
          .replace(/\n/g, '&#10;')
          .replace(/\t/g, '&#9;')}"`,
    )
    .join('');
}

// XML 1.0 forbids these even as references, https://www.w3.org/TR/xml/#charsets. Lone surrogates cannot be written as UTF-8.
const forbidden = /[\ufffe\uffff]/g;

function escapeXml(text: string): string {
  return printable(text.toWellFormed())
    .replace(forbidden, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
