/**
 * Makes the picture for the README: node reports/docs/picture.ts [index.html of a run]
 *
 * Without a page it takes the sample of the tests, which says itself that it is made up. The picture shows the evidence of the
 * first problem, where there is one.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { findProgram } from '../testing/programs.ts';
import { sampleBaseline, sampleResults, writeSampleEvidence } from '../testing/sample.ts';
import { writeReports } from '../write.ts';

const executablePath = findProgram('chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome');
if (!executablePath) throw new Error('Cannot make the picture: no chromium on the PATH, wanted one');

const scratch = await mkdtemp(join(tmpdir(), 'seatrial-picture-'));
try {
  const [given] = process.argv.slice(2);
  const page = given ? resolve(given) : await writeSample(scratch);
  await using browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const view = await browser.newPage({ viewport: { width: 1440, height: 860 }, colorScheme: 'light' });
  await view.goto(pathToFileURL(page).href);
  const problem = view.locator('.problems a').first();
  if ((await problem.count()) > 0) await problem.click();
  const path = join(import.meta.dirname, 'report.png');
  await view.screenshot({ path });
  console.log(path);
} finally {
  await rm(scratch, { recursive: true, force: true });
}

async function writeSample(dir: string): Promise<string> {
  await writeSampleEvidence(dir);
  return (await writeReports(sampleResults, dir, { baseline: sampleBaseline })).html;
}
