import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compareResults } from './compare.ts';
import { readEvidenceFiles } from './evidence-files.ts';
import { toHtml } from './html/page.ts';
import { toJunit } from './junit.ts';
import { toMarkdown } from './markdown.ts';
import { checkResults } from './parse.ts';
import type { Results } from './schema.ts';

export interface ReportPaths {
  readonly json: string;
  readonly junit: string;
  readonly summary: string;
  readonly html: string;
}

/**
 * Writes results.json, junit.xml, summary.md and index.html into `dir`. Evidence files are already there: their paths in the
 * results are relative to `dir`. Results that break the published format are written all the same, for nothing may be lost,
 * and then thrown.
 */
export async function writeReports(
  results: Results,
  dir: string,
  options: { readonly baseline?: Results } = {},
): Promise<ReportPaths> {
  const paths: ReportPaths = {
    json: join(dir, 'results.json'),
    junit: join(dir, 'junit.xml'),
    summary: join(dir, 'summary.md'),
    html: join(dir, 'index.html'),
  };
  await mkdir(dir, { recursive: true });
  await replaceFile(paths.json, `${JSON.stringify(results, null, 2)}\n`);
  const comparison = options.baseline && compareResults(results, options.baseline);
  const files = await readEvidenceFiles(results, dir);
  await replaceFile(paths.junit, toJunit(results));
  await replaceFile(paths.summary, toMarkdown(results, { files, ...(comparison && { comparison }) }));
  await replaceFile(paths.html, toHtml(results, { files, ...(comparison && { comparison }) }));
  checkResults(results, `Cannot publish ${paths.json}`);
  return paths;
}

/** A reader of the report never sees half a file. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await writeFile(temporary, text);
  await rename(temporary, path);
}
