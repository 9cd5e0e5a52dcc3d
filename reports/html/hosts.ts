import type { HostReport, Phase, Result, Results } from '../schema.ts';
import { count, duration } from '../text.ts';
import { html, type Markup } from './html.ts';

/** What each host is and where its time went; all bars share one scale. */
export function hostSection(results: Results): Markup | false {
  if (results.hosts.length === 0) return false;
  const spans = results.hosts.map((host) => withScenarios(host, results.results));
  const longest = Math.max(
    1,
    ...spans.map((phases) => phases.reduce((sum, { durationMs }) => sum + durationMs, 0)),
  );
  const names = [...new Set(spans.flat().map(({ name }) => name))];
  return html`<section class="hosts" aria-labelledby="hosts-title">
<h2 id="hosts-title">Hosts</h2>
<div class="cards">${results.hosts.map((host, index) => card(host, spans[index] ?? [], longest, names))}</div>
</section>`;
}

function card(host: HostReport, phases: readonly Phase[], longest: number, names: readonly string[]): Markup {
  const facts = [
    ['distribution', host.distribution],
    ['kernel', [host.kernel, host.arch].filter(Boolean).join(' ')],
    ['cgroups', host.cgroups],
    ['accelerator', host.accelerator],
  ].filter(([, value]) => value !== '');
  let x = 0;
  const pieces = phases.map(({ name, durationMs }) => {
    const width = (durationMs / longest) * 1000;
    const piece = html`<rect class="phase${names.indexOf(name) % 8}" x="${x.toFixed(1)}" y="0" width="${Math.max(width, 2).toFixed(1)}" height="10"/>`;
    x += width;
    return piece;
  });
  return html`<div class="card">
<h3>${host.name}</h3>
${host.broken && html`<div class="broken"><b>! broke: ${host.broken.what}</b> ${host.broken.message}${host.broken.console && html`<details><summary>The console's end</summary><pre>${host.broken.console}</pre></details>`}</div>`}
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name ?? ''}</dt><dd>${value ?? ''}</dd></div>`)}</dl>
<svg class="phases" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">${pieces}</svg>
<ul class="legend">${phases.map(({ name, durationMs }) => html`<li><svg viewBox="0 0 8 8" aria-hidden="true"><rect class="phase${names.indexOf(name) % 8}" width="8" height="8"/></svg>${name} <b>${duration(durationMs)}</b></li>`)}</ul>
</div>`;
}

/** The scenarios are a phase too, where the host's own list does not have them. */
function withScenarios(host: HostReport, results: readonly Result[]): readonly Phase[] {
  const own = results.filter((result) => result.host === host.name && result.durationMs > 0);
  if (own.length === 0 || host.phases.some(({ name }) => name === 'scenarios')) return host.phases;
  const durationMs = own.reduce((sum, result) => sum + result.durationMs, 0);
  return [...host.phases, { name: count(own.length, 'scenario'), durationMs }];
}
