import { type JobId, jobOf, type Outcome } from '../schema.ts';
import { glyphs } from '../terminal/style.ts';
import { html, type Markup } from './html.ts';

/** A job's article is found by the job's own name, so that the address of a failure can be read and written by hand. */
export function jobHref(job: JobId): string {
  return `#${encodeURIComponent(jobOf(job).toWellFormed()).replaceAll('%2F', '/').replaceAll('%3A', ':')}`;
}

export function jobAnchor(job: JobId): string {
  return jobOf(job).toWellFormed();
}

export function tag(outcome: Outcome): Markup {
  return html`<span class="tag ${outcome}"><span aria-hidden="true">${glyphs[outcome]}</span> ${outcome}</span>`;
}
