import { columnsOf } from '../columns.ts';
import { glyphs } from '../glyphs.ts';
import { cellOf, type HostReport, jobOf, type Result, type Results, scenarioOf } from '../schema.ts';
import { duration, firstLine } from '../text.ts';
import { html, type Markup } from './html.ts';
import { jobAnchor, jobHref } from './parts.ts';

/** Columns above which the cells show glyphs alone; each glyph has its own shape, and the word is in the cell's label. */
const wideMatrix = 12;

/** Scenario × cell; each cell leads to its evidence. */
export function matrix(results: Results): Markup {
  const columns = columnsOf(results.results);
  const hosts = new Map(results.hosts.map((host) => [host.name, host]));
  const byCell = Map.groupBy(results.results, cellOf);
  const byPlace = new Map(
    results.results.map((result) => [`${cellOf(result)}:${scenarioOf(result)}`, result]),
  );
  const groups = [...Map.groupBy(columns, ({ group }) => group)];
  const first = new Set(groups.map(([, [column]]) => column?.key));
  const edge = (key: string) => (first.has(key) ? ' edge' : '');
  const areas = [...Map.groupBy(results.results, ({ area }) => area)];
  const body = areas.map(([area, inArea]) => {
    const rows = [...new Set(inArea.map(({ scenario }) => scenario))].map((scenario) => {
      const row = scenarioOf({ area, scenario });
      return html`<tr data-row><th scope="row" title="${row}">${scenario}</th>${columns.map(({ key }) => cell(byPlace.get(`${key}:${row}`), key, edge(key)))}</tr>`;
    });
    return html`<tbody data-area><tr class="area"><th scope="rowgroup">${area}</th>${columns.map(({ key }) => html`<td class="${edge(key).trim()}" data-cell="${key}"></td>`)}</tr>${rows}</tbody>`;
  });
  return html`<section class="matrix" aria-labelledby="matrix-title">
<h2 id="matrix-title">Matrix</h2>
<div class="scroller" tabindex="-1"><table class="${columns.length > wideMatrix ? 'compact' : 'words'}">
<thead>
<tr><td></td>${groups.map(([host, own]) => html`<th scope="colgroup" colspan="${own.length}" class="host edge" data-host="${host}">${host}${hostNote(hosts.get(host))}</th>`)}</tr>
<tr><td></td>${columns.map(({ key, group, label }) => html`<th scope="col" class="driver${edge(key)}" data-host="${group}" data-cell="${key}">${label}<small>${ratio(byCell.get(key) ?? [])}</small></th>`)}</tr>
</thead>
${body}
</table></div>
<p class="nothing" hidden>Nothing matches. <button type="button" class="clear">Clear the filter</button></p>
</section>`;
}

function cell(result: Result | undefined, key: string, edge: string): Markup {
  if (!result) return html`<td class="unplanned${edge}" data-cell="${key}"></td>`;
  const time = duration(result.durationMs);
  const why = result.reason ? `: ${firstLine(result.reason)}` : '';
  const title = `${result.outcome}${result.required ? '' : ' (not required)'}, ${time}${why}`;
  return html`<td class="${edge.trim()}" data-cell="${key}"><a class="cell ${result.outcome}${result.required ? '' : ' optional'}" href="${jobHref(result)}" data-job="${jobAnchor(result)}" data-host="${result.host}" data-driver="${`${result.engine}/${result.driver}`}" data-outcome="${result.outcome}" title="${title}" aria-label="${`${result.outcome}, ${jobOf(result)}`}"><span class="glyph" aria-hidden="true">${glyphs[result.outcome]}</span><span class="word"> ${result.outcome}</span></a></td>`;
}

function ratio(results: readonly Result[]): string {
  return `${results.filter(({ outcome }) => outcome === 'pass').length}/${results.length}`;
}

function hostNote(host: HostReport | undefined): Markup | false {
  if (!host) return false;
  const facts = [host.kernel, host.cgroups && `cgroup ${host.cgroups}`].filter((fact) => fact !== '');
  return html`<small>${host.broken ? `broke: ${host.broken.what}` : facts.join(' · ')}</small>`;
}
