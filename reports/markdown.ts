import { columnsOf } from './columns.ts';
import {
  type Change,
  type Comparison,
  changesByHost,
  changeText,
  comparisonText,
  regressions,
} from './compare.ts';
import type { EvidenceFile } from './evidence-files.ts';
import { type Problem, problemsOf } from './problems.ts';
import {
  cellOf,
  type HostReport,
  jobOf,
  type Outcome,
  type Result,
  type Results,
  scenarioOf,
} from './schema.ts';
import { count, duration, firstLine, oneLine, printable } from './text.ts';
import { countsText, verdict } from './verdict.ts';

export interface MarkdownOptions {
  readonly files?: ReadonlyMap<string, EvidenceFile>;
  readonly comparison?: Comparison;
}

/** GitHub refuses a job summary above 1 MiB (as UTF-8); problems that do not fit are counted instead of told. */
const summaryLimit = 900_000;
const tailLines = 20;
const listed = 20;

const emoji: Readonly<Record<Outcome, string>> = {
  pass: '✅',
  fail: '❌',
  skip: '⚪',
  flaky: '🟡',
  infra: '🟣',
  missing: '❔',
};

/** The run as GitHub-flavoured Markdown for a job summary: verdict, what changed, matrix, each problem folded, hosts. */
export function toMarkdown(results: Results, { files, comparison }: MarkdownOptions = {}): string {
  const { ok, counts, reasons } = verdict(results);
  const problems = problemsOf(results.results);
  const head = [
    `## ${ok ? '✅ green' : '❌ red'}: ${countsText(counts)}`,
    '',
    [
      results.commit ? `commit ${code(results.commit.slice(0, 12))}` : '',
      `started ${escapeMarkdown(results.startedAt)}`,
      `took ${duration(results.durationMs)}`,
      code(results.command),
    ]
      .filter((part) => part !== '')
      .join(' · '),
    '',
    ...(results.results.length === 0 ? [...reasons.map(escapeMarkdown), ''] : []),
    ...(comparison ? changes(comparison) : []),
    ...matrix(results.results, problems),
  ];
  const tail = hosts(results.hosts);
  const parts = [...head];
  let bytes = Buffer.byteLength([...head, ...tail].join('\n'));
  for (const [index, problem] of problems.entries()) {
    const lines = details(problem, index, files);
    bytes += Buffer.byteLength(lines.join('\n')) + 1;
    if (bytes > summaryLimit) {
      parts.push(`… and ${count(problems.length - index, 'problem')} more: see index.html`, '');
      break;
    }
    parts.push(...lines);
  }
  return `${[...parts, ...tail].join('\n').trimEnd()}\n`;
}

function matrix(results: readonly Result[], problems: readonly Problem[]): string[] {
  if (results.length === 0) return [];
  const anchors = new Map(
    problems.flatMap(({ results }, index) => results.map((result) => [jobOf(result), anchor(index)])),
  );
  const columns = columnsOf(results);
  const byPlace = new Map(results.map((result) => [`${cellOf(result)}:${scenarioOf(result)}`, result]));
  const rows = new Map(results.map((result) => [scenarioOf(result), result]));
  const cell = (key: string, row: string) => {
    const result = byPlace.get(`${key}:${row}`);
    if (!result) return '';
    const text = `${emoji[result.outcome]} ${result.outcome}`;
    const target = anchors.get(jobOf(result));
    return target ? `[${text}](#user-content-${target})` : text;
  };
  return [
    `| scenario | ${columns.map(({ group, label }) => `${escapeMarkdown(group)}<br>${escapeMarkdown(label)}`).join(' | ')} |`,
    `| --- |${' --- |'.repeat(columns.length)}`,
    ...[...rows].map(
      ([row]) => `| ${escapeMarkdown(row)} | ${columns.map(({ key }) => cell(key, row)).join(' | ')} |`,
    ),
    '',
  ];
}

function details(problem: Problem, index: number, files: MarkdownOptions['files']): string[] {
  const [first] = problem.results;
  const { evidence } = first;
  const optional = problem.required ? '' : ' (not required)';
  const summary = `${emoji[problem.outcome]} ${problem.outcome} <b>${escapeHtml(oneLine(problem.title))}</b>${optional}`;
  const rows: [string, string][] = [];
  if (first.attempts) rows.push(['attempts', `passed ${first.attempts.passed} of ${first.attempts.total}`]);
  if (evidence?.step) rows.push(['step', code(evidence.step)]);
  if (evidence?.errno) rows.push(['errno', code(evidence.errno)]);
  for (const holder of evidence?.holders ?? []) rows.push(['held by', code(holder)]);
  for (const { kind, what, owner } of evidence?.leaks ?? []) {
    rows.push([`leaked ${kind}`, `${code(what)}${owner ? ` owner ${code(owner)}` : ''}`]);
  }
  const lines = [
    `<a id="${anchor(index)}"></a>`,
    '',
    `<details><summary>${summary}: ${escapeHtml(firstLine(problem.reason))}</summary>`,
    '',
    ...preformatted(problem.reason),
    ...rows.map(([name, value]) => `- ${escapeMarkdown(name)}: ${value}`),
    '',
  ];
  if (problem.results.length > 1) {
    const shown = problem.results.slice(0, listed).map((result) => `- ${code(jobOf(result))}`);
    const more = problem.results.length - listed;
    lines.push(...shown, ...(more > 0 ? [`- and ${more} more`] : []), '');
  }
  if (evidence?.detail) lines.push(...preformatted(evidence.detail));
  for (const path of [evidence?.daemonLog, evidence?.console])
    if (path) lines.push(...tailOf(path, files?.get(path)));
  if (evidence) lines.push('Run it again:', '', ...preformatted(evidence.rerun));
  return [...lines, '</details>', ''];
}

function tailOf(path: string, file: EvidenceFile | undefined): string[] {
  if (!file || file.problem !== undefined) return [escapeMarkdown(file?.problem ?? `Evidence: ${path}`), ''];
  const last = file.text.trimEnd().split('\n').slice(-tailLines);
  return [`${code(path)}, the last ${count(last.length, 'line')}:`, '', ...preformatted(last.join('\n'))];
}

function changes(comparison: Comparison): string[] {
  const { baseline } = comparison;
  const since = baseline.commit
    ? `commit ${code(baseline.commit.slice(0, 12))}`
    : `run ${code(baseline.runId)}`;
  const bad = new Set(regressions(comparison));
  const list = (of: readonly Change[]) =>
    [...changesByHost(of)].flatMap(([host, own]) => [
      `- ${escapeMarkdown(host)}`,
      ...own.map((change) => `  - ${code(jobOf(change.job))}: ${changeText(change)}`),
    ]);
  const rest = comparison.changes.filter((change) => !bad.has(change));
  const absent = comparison.absentHosts.map(escapeMarkdown).join(', ');
  return [
    `### Since ${since}: ${comparisonText(comparison)}`,
    '',
    ...(bad.size > 0 ? ['**Regressed**', '', ...list([...bad]), ''] : []),
    ...(rest.length > 0
      ? ['<details><summary>Other changes</summary>', '', ...list(rest), '', '</details>', '']
      : []),
    ...(absent ? [`Not in this run: ${absent}`, ''] : []),
  ];
}

function hosts(reports: readonly HostReport[]): string[] {
  if (reports.length === 0) return [];
  return [
    '### Hosts',
    '',
    '| host | kernel | distribution | cgroups | accelerator | phases |',
    '| --- | --- | --- | --- | --- | --- |',
    ...reports.map((host) => {
      const phases = host.phases.map(({ name, durationMs }) => `${name} ${duration(durationMs)}`).join(', ');
      const broken = host.broken
        ? `${emoji.infra} broke (${host.broken.what}): ${firstLine(host.broken.message)}`
        : '';
      const cells = [host.name, host.kernel, host.distribution, host.cgroups, host.accelerator];
      return `| ${cells.map(escapeMarkdown).join(' | ')} | ${escapeMarkdown([phases, broken].filter(Boolean).join('; '))} |`;
    }),
    '',
  ];
}

function anchor(index: number): string {
  return `problem-${index + 1}`;
}

/** `<pre>` and not a fence: no text can end it, once it is escaped. */
function preformatted(text: string): string[] {
  return ['<pre>', escapeHtml(printable(text).trimEnd()), '</pre>', ''];
}

/** Inline code that no text can end, and in which Markdown sees nothing. */
function code(text: string): string {
  return `<code>${escapeMarkdown(text)}</code>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Character references are never markup in CommonMark, and no part of an address; a new line would end a table row. */
function escapeMarkdown(text: string): string {
  return oneLine(text).replace(
    /[&<>\\`*_{}[\]#|~@$]|:(?=\/\/)|(?<=\bwww)\./g,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}
