import { basename } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { type Change, type Comparison, changeText } from '../compare.ts';
import type { Problem } from '../problems.ts';
import { cellOf, type Evidence, jobOf, type Result, type Results, scenarioOf } from '../schema.ts';
import { count, duration, oneLine } from '../text.ts';
import { html, type Markup } from './html.ts';
import { jobAnchor, jobHref, tag } from './parts.ts';

/** Jobs of the same problem listed in each article. */
const alikeShown = 12;

/** One article per result, shown when the address names its job. */
export function articles(results: Results, problems: readonly Problem[], comparison?: Comparison): Markup {
  const changes = new Map(comparison?.changes.map((change) => [jobOf(change.job), change]));
  const problemOf = new Map(
    problems.flatMap((problem) => problem.results.map((result) => [jobOf(result), problem])),
  );
  return html`<div id="evidence">${results.results.map((result) =>
    article(result, {
      change: changes.get(jobOf(result)),
      problem: problemOf.get(jobOf(result)),
    }),
  )}</div>`;
}

interface Context {
  readonly change: Change | undefined;
  readonly problem: Problem | undefined;
}

function article(result: Result, { change, problem }: Context): Markup {
  const { evidence } = result;
  const same = problem?.results.filter((other) => other !== result) ?? [];
  return html`<article id="${jobAnchor(result)}" tabindex="-1" aria-label="${jobOf(result)}">
<header>${tag(result.outcome)}<div class="name"><h2>${scenarioOf(result)}</h2><p>${cellOf(result)}</p></div>
<nav>${problem && html`<button type="button" class="step" data-step="-1" aria-label="Previous problem" hidden>↑</button><button type="button" class="step" data-step="1" aria-label="Next problem" hidden>↓</button>`}<a class="close" href="#closed" aria-label="Close">✕</a></nav></header>
<div class="body">
${result.reason !== undefined && html`<pre class="reason ${result.outcome}" data-text>${result.reason}</pre>`}
<dl class="facts">
${fact('took', duration(result.durationMs))}
${result.attempts && fact('attempts', `passed ${result.attempts.passed} of ${result.attempts.total}`)}
${!result.required && fact('required', 'no: does not make the run red')}
${change && fact('baseline', changeText(change))}
${fact('kernel', result.kernel || 'unknown: the host never answered')}
${evidence?.step !== undefined && fact('step', html`<code data-text>${evidence.step}</code>`)}
${evidence?.errno !== undefined && fact('errno', html`<code data-text>${evidence.errno}</code> ${meaning(evidence.errno)}`)}
</dl>
${evidence && proof(evidence)}
${same.length > 0 && section(`Same reason: ${count(same.length, 'more scenario')}`, html`<ul class="jobs">${same.slice(0, alikeShown).map(link)}</ul>${same.length > alikeShown && html`<p class="quiet">and ${same.length - alikeShown} more</p>`}`)}
</div>
</article>
`;
}

function proof(evidence: Evidence): Markup {
  const { holders = [], leaks = [] } = evidence;
  return html`
${holders.length > 0 && section('Held by', html`<ul class="holders">${holders.map((holder) => html`<li><code data-text>${holder}</code></li>`)}</ul>`)}
${
  leaks.length > 0 &&
  section(
    'Leaked',
    html`<table class="leaks"><thead><tr><th>kind</th><th>what</th><th>owner</th></tr></thead><tbody>${leaks.map(
      ({ kind, what, owner }) =>
        html`<tr><td>${kind}</td><td><code data-text>${what}</code></td><td>${owner === undefined ? html`<span class="quiet">unknown</span>` : html`<code data-text>${owner}</code>`}</td></tr>`,
    )}</tbody></table>`,
  )
}
${section('Run it again', html`<div class="rerun"><code>${oneLine(evidence.rerun)}</code><button type="button" class="copy" hidden>Copy</button></div>`)}
${evidence.detail !== undefined && html`<details open><summary>Whole error</summary><pre data-text>${evidence.detail}</pre></details>`}
${file('Daemon log', evidence.daemonLog)}
${file('Console', evidence.console)}
${file('Mountinfo', evidence.mountinfo)}`;
}

/** The text comes from the page's data when it is opened: one console may be the evidence of a hundred results. */
function file(name: string, path: string | undefined): Markup | false {
  if (path === undefined) return false;
  return html`<details class="file" data-file="${path}"><summary>${name} <a href="${`./${path.split('/').map(encodeURIComponent).join('/')}`}" title="${path}">${basename(path)}</a></summary><pre tabindex="0" aria-label="${name}"></pre></details>`;
}

function section(title: string, content: Markup): Markup {
  return html`<section><h3>${title}</h3>${content}</section>`;
}

function fact(name: string, value: Markup | string): Markup {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

function link(result: Result): Markup {
  return html`<li><a href="${jobHref(result)}">${tag(result.outcome)} ${jobOf(result)}</a></li>`;
}

function meaning(errno: string): string {
  return [...getSystemErrorMap().values()].find(([name]) => name === errno)?.[1] ?? '';
}
