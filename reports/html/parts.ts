import { glyphs } from '../glyphs.ts';
import { type JobId, jobOf, type Outcome } from '../schema.ts';
import { oneLine } from '../text.ts';
import { html, type Markup } from './html.ts';

/** The id of a job's article: the job's own name, so that the address of a failure can be read and written by hand. */
export function jobAnchor(job: JobId): string {
  return oneLine(jobOf(job).toWellFormed());
}

export function jobHref(job: JobId): string {
  return `#${encodeURIComponent(jobAnchor(job)).replaceAll('%2F', '/').replaceAll('%3A', ':')}`;
}

export function tag(outcome: Outcome): Markup {
  return html`<span class="tag ${outcome}"><span aria-hidden="true">${glyphs[outcome]}</span> ${outcome}</span>`;
}
