import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Comparison, changeText, comparisonText, regressions } from '../compare.ts';
import type { EvidenceFile } from '../evidence-files.ts';
import { glyphs } from '../glyphs.ts';
import { type Problem, problemsOf } from '../problems.ts';
import { jobOf, type Outcome, outcomes, type Results } from '../schema.ts';
import { count, duration, firstLine, oneLine } from '../text.ts';
import { countsText, greenText, verdict } from '../verdict.ts';
import { articles } from './evidence.ts';
import { hostSection } from './hosts.ts';
import { html, jsonForScript, Markup } from './html.ts';
import { matrix } from './matrix.ts';
import { jobAnchor, jobHref, tag } from './parts.ts';

export interface PageOptions {
  readonly files?: ReadonlyMap<string, EvidenceFile>;
  readonly comparison?: Comparison;
}

/** In the order of the cascade. */
const styles = ['base', 'verdict', 'problems', 'filters', 'matrix', 'hosts', 'evidence', 'media'];

/** Problems shown before the rest is folded. */
const problemsShown = 10;

/**
 * The report as one page that needs nothing else: no network, no server. Without scripts everything but the filter and the log
 * texts is there. Its own policy forbids every script and style but the two inlined here, by their hashes.
 */
export function toHtml(results: Results, { files = new Map(), comparison }: PageOptions = {}): string {
  const style = styles
    .map((name) => readFileSync(new URL(`styles/${name}.css`, import.meta.url), 'utf8'))
    .join('\n');
  const script = readFileSync(new URL('page.js', import.meta.url), 'utf8');
  const policy = `default-src 'none'; style-src '${hash(style)}'; script-src '${hash(script)}'; img-src data:; base-uri 'none'; form-action 'none'`;
  const { ok, counts } = verdict(results);
  const texts = Object.fromEntries(
    [...files].map(([path, { text, omitted, problem }]) => [path, { text, omitted, problem }]),
  );
  const problems = problemsOf(results.results);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${ok ? '✓ green' : '✗ red'}: ${countsText(counts)} · seatrial</title>
<link rel="icon" href="${icon(ok)}">
<style>${new Markup(style)}</style>
</head>
<body>
${head(results)}
<main>
${comparison && changes(comparison)}
${problems.length > 0 && problemList(problems)}
${filters(results, counts)}
${matrix(results)}
${hostSection(results)}
</main>
${articles(results, problems, comparison)}
<footer>Keys: <kbd>/</kbd> search · <kbd>arrows</kbd> move in the matrix · <kbd>Enter</kbd> open · <kbd>Esc</kbd> close · <kbd>n</kbd> <kbd>p</kbd> next and previous problem</footer>
<script type="application/json" id="files">${new Markup(jsonForScript(texts))}</script>
<script>${new Markup(script)}</script>
</body>
</html>
`;
  return page.source;
}

function head(results: Results): Markup {
  const { ok, counts, total, blocking } = verdict(results);
  const green = greenText(results);
  const cells = new Set(results.results.map(({ host, engine, driver }) => `${host}/${engine}/${driver}`))
    .size;
  const sentence = ok
    ? `${green.charAt(0).toUpperCase()}${green.slice(1)}.`
    : total === 0
      ? 'There is no result: nothing was tried.'
      : `${count(blocking.length, 'required result')} did not pass.`;
  return html`<header class="top" id="top">
<p class="brand">seatrial</p>
<h1 class="${ok ? 'green' : 'red'}"><span class="seal" aria-hidden="true">${ok ? glyphs.pass : glyphs.fail}</span>${ok ? 'green' : 'red'}</h1>
<p class="sentence">${sentence} <span class="quiet">${countsText(counts)}, in ${count(cells, 'cell')} on ${count(results.hosts.length, 'host')}.</span></p>
${bar(counts, total)}
<dl class="run">
<div><dt>started</dt><dd><time datetime="${results.startedAt}">${results.startedAt.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC')}</time></dd></div>
<div><dt>took</dt><dd>${duration(results.durationMs)}</dd></div>
${results.commit !== undefined && html`<div><dt>commit</dt><dd><code title="${results.commit}">${results.commit.slice(0, 12)}</code></dd></div>`}
<div><dt>run</dt><dd><code>${results.runId}</code></dd></div>
<div><dt>command</dt><dd><code>${oneLine(results.command)}</code></dd></div>
</dl>
</header>`;
}

/** The shares of the outcomes. The numbers stand beside it in words, so it is only a picture. */
function bar(counts: Readonly<Record<Outcome, number>>, total: number): Markup | false {
  if (total === 0) return false;
  let x = 0;
  const pieces = outcomes.map((outcome) => {
    const width = (counts[outcome] / total) * 1000;
    const piece = html`<rect class="${outcome}" x="${x}" y="0" width="${width}" height="6"/>`;
    x += width;
    return width > 0 && piece;
  });
  return html`<svg class="bar" viewBox="0 0 1000 6" preserveAspectRatio="none" aria-hidden="true">${pieces}</svg>`;
}

function problemList(problems: readonly Problem[]): Markup {
  const items = problems.map((problem) => {
    const [first] = problem.results;
    const { errno, leaks, holders } = first.evidence ?? {};
    const marks = [
      errno,
      leaks?.length && count(leaks.length, 'leak'),
      holders?.length && count(holders.length, 'holder'),
    ];
    return html`<li data-jobs="${JSON.stringify(problem.results.map(jobAnchor))}"><a href="${jobHref(first)}">
${tag(problem.outcome)}<span class="what"><b>${oneLine(problem.title)}</b> <span class="why">${firstLine(problem.reason)}</span></span>
<span class="marks">${!problem.required && html`<i>not required</i>`}${marks.map((mark) => mark && html`<i>${mark}</i>`)}</span></a></li>`;
  });
  const folded = items.slice(problemsShown);
  return html`<section class="problems" aria-labelledby="problems-title">
<h2 id="problems-title">Not passed <span class="quiet">${problems.length}</span></h2>
<ol>${items.slice(0, problemsShown)}</ol>
${folded.length > 0 && html`<details><summary>${folded.length} more</summary><ol>${folded}</ol></details>`}
</section>`;
}

function changes(comparison: Comparison): Markup {
  const { baseline } = comparison;
  const bad = new Set(regressions(comparison));
  const item = (change: Comparison['changes'][number]) => {
    const name = html`<code>${jobOf(change.job)}</code>`;
    const linked = change.after ? html`<a href="${jobHref(change.job)}">${name}</a>` : name;
    return html`<li>${linked} <span class="quiet">${changeText(change)}</span></li>`;
  };
  const others = comparison.changes.filter((change) => !bad.has(change));
  return html`<section class="changes" aria-labelledby="changes-title">
<h2 id="changes-title">Since ${baseline.commit ? html`commit <code>${baseline.commit.slice(0, 12)}</code>` : html`run <code>${baseline.runId}</code>`} <span class="quiet">${comparisonText(comparison)}</span></h2>
${bad.size > 0 && html`<ul class="regressed">${[...bad].map(item)}</ul>`}
${others.length > 0 && html`<details><summary>${count(others.length, 'other change')}</summary><ul>${others.map(item)}</ul></details>`}
${comparison.absentHosts.length > 0 && html`<p class="quiet">Not in this run: ${comparison.absentHosts.join(', ')}</p>`}
</section>`;
}

function filters(results: Results, counts: Readonly<Record<Outcome, number>>): Markup {
  const hosts = [...new Set(results.results.map(({ host }) => host))];
  const drivers = [...new Set(results.results.map(({ engine, driver }) => `${engine}/${driver}`))];
  const engines = new Set(results.results.map(({ engine }) => engine));
  const driverName = (value: string) => (engines.size > 1 ? value : value.slice(value.indexOf('/') + 1));
  const chips = outcomes.filter((outcome) => counts[outcome] > 0);
  return html`<search class="filters" hidden>
<input type="search" id="text" placeholder="Search names, reasons, leaks, holders" aria-label="Search" autocomplete="off" spellcheck="false">
<select id="host" aria-label="Host"><option value="">all hosts</option>${hosts.map((host) => html`<option value="${host}">${host}</option>`)}</select>
<select id="driver" aria-label="Driver"><option value="">all drivers</option>${drivers.map((value) => html`<option value="${value}">${driverName(value)}</option>`)}</select>
<span class="chips" role="group" aria-label="Outcomes">${chips.map(
    (outcome) =>
      html`<button type="button" class="chip ${outcome}" data-outcome="${outcome}" aria-pressed="false"><span aria-hidden="true">${glyphs[outcome]}</span> ${outcome} <b>${counts[outcome]}</b></button>`,
  )}</span>
<span class="shown" role="status" aria-live="polite"></span>
<button type="button" class="clear" hidden>Clear</button>
</search>`;
}

function icon(ok: boolean): string {
  const color = ok ? '%231a7f4b' : '%23c4322f';
  return `data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='7' fill='${color}'/></svg>`;
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
