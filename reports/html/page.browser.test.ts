// biome-ignore-all lint/performance/useDomNodeTextContent: what is seen is what is tested
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseResults } from '../parse.ts';
import { hostile, hostileResults } from '../testing/hostile.ts';
import { findProgram } from '../testing/programs.ts';
import { sampleBaseline, sampleResults, writeSampleEvidence } from '../testing/sample.ts';
import { writeReports } from '../write.ts';

const executablePath = findProgram('chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome');
const title = executablePath
  ? 'the page in a browser'
  : 'the page in a browser (skipped: chromium is not installed)';
const failed = 'debian-11/hull/devicemapper:umount/released-when-holder-goes';

describe.skipIf(!executablePath)(title, () => {
  let dir = '';
  let browser: Browser;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'seatrial-page-'));
    await writeSampleEvidence(join(dir, 'sample'));
    await writeReports(sampleResults, join(dir, 'sample'), { baseline: sampleBaseline });
    await writeSampleEvidence(join(dir, 'hostile'));
    await writeFile(join(dir, 'hostile/evidence/daemon.log'), hostile);
    await writeFile(join(dir, 'hostile/evidence/javascript:window.pwned=1'), hostile);
    await writeReports(hostileResults, join(dir, 'hostile'));
    // Chromium's own sandbox cannot be set up by root; the page is ours.
    browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser?.close();
    await rm(dir, { recursive: true, force: true });
  });

  interface Opened extends AsyncDisposable {
    readonly page: Page;
    /** Requests other than for the page itself, errors of scripts, and what the page's policy forbade. */
    readonly trouble: readonly string[];
  }

  async function open(report: string, hash = '', options: BrowserContextOptions = {}): Promise<Opened> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    const url = `${pathToFileURL(join(dir, report, 'index.html'))}`;
    const trouble: string[] = [];
    page.on('request', (request) => {
      if (request.url().split('#')[0] !== url && !request.url().startsWith('data:image/svg'))
        trouble.push(request.url());
    });
    page.on('console', (message) => trouble.push(message.text()));
    page.on('pageerror', (error) => trouble.push(String(error)));
    await page.goto(url + hash);
    return { page, trouble, [Symbol.asyncDispose]: () => context.close() };
  }

  const shownCells = (page: Page) => page.locator('a.cell:visible:not(.other)').count();

  it('shows the matrix and asks for nothing', async () => {
    await using opened = await open('sample');
    expect(await opened.page.locator('h1').innerText()).toContain('red');
    expect(await shownCells(opened.page)).toBe(84);
    expect(await opened.page.locator('.problems li:visible').count()).toBe(3);
    expect(opened.trouble).toEqual([]);
  });

  it.each([
    ['#host', 'debian-11', 42],
    ['#driver', 'hull/vfs', 28],
  ])('filters by %s', async (select, value, cells) => {
    await using opened = await open('sample');
    await opened.page.locator(select).selectOption(value);
    expect(await shownCells(opened.page)).toBe(cells);
    expect(await opened.page.locator('.shown').innerText()).toBe(`${cells} of 84`);
    expect(await opened.page.locator('th.driver:visible').count()).toBe(cells / 14);
    await opened.page.locator('.filters .clear').click();
    expect(await shownCells(opened.page)).toBe(84);
  });

  it('filters by outcome and text together, and says when nothing is left', async () => {
    await using opened = await open('sample');
    await opened.page.locator('.chip.fail').click();
    await opened.page.locator('.chip.flaky').click();
    expect(await shownCells(opened.page)).toBe(2);
    // What is looked for stands in the evidence, not in a name.
    await opened.page.locator('#text').fill('HULL-1f0c3e9a-snap ebusy');
    expect(await shownCells(opened.page)).toBe(1);
    expect(await opened.page.locator('.problems li:visible').count()).toBe(1);
    await opened.page.locator('#text').fill('no such thing');
    expect(await opened.page.locator('.nothing').isVisible()).toBe(true);
    await opened.page.locator('.nothing .clear').click();
    expect(await shownCells(opened.page)).toBe(84);
    expect(opened.trouble).toEqual([]);
  });

  it('opens the evidence of a cell, with holders, leaks, errno, logs and the command', async () => {
    await using opened = await open('sample');
    await opened.page.locator(`a.cell.fail`).click();
    const article = opened.page.locator('article:visible');
    const text = await article.innerText();
    for (const wanted of [
      'EBUSY resource busy or locked',
      'pid 2214 (sleep)',
      'hull-1f0c3e9a-snap (254:3)',
      'container 1f0c3e9a7b2d',
      'ioctl(DM_DEV_REMOVE',
      'pass → fail',
      `npm run scenarios -- '${failed}'`,
      'deferred=true',
      'The same scenario elsewhere',
    ]) {
      expect(text).toContain(wanted);
    }
    await article.locator('summary', { hasText: 'Mountinfo' }).click();
    // The text is put in when the browser says that it was opened, which is later than the click.
    await article.getByText('/dev/mapper/hull-1f0c3e9a-snap').first().waitFor();
    expect(decodeURIComponent(new URL(opened.page.url()).hash)).toBe(`#${failed}`);
    expect(opened.trouble).toEqual([]);
  });

  it('opens the evidence that the address names', async () => {
    await using opened = await open('sample', `#${failed}`);
    expect(await opened.page.locator('article:visible h2').innerText()).toBe(
      'umount/released-when-holder-goes',
    );
    expect(await opened.page.locator('article:visible').innerText()).toContain('deferred=true');
  });

  it('can be used with the keyboard alone', async () => {
    await using opened = await open('sample');
    const { page } = opened;
    const focused = () => page.evaluate('document.activeElement.dataset.job ?? document.activeElement.id');
    const shownArticles = () =>
      page.locator('article:visible').evaluateAll((articles) => articles.map(({ id }) => id));
    await page.keyboard.press('/');
    expect(await focused()).toBe('text');
    await page.locator('a.cell[tabindex="0"]').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    const job = 'debian-11/hull/vfs:start-stop/stop-escalates-to-sigkill';
    expect(await focused()).toBe(job);
    await page.keyboard.press('Enter');
    await expect.poll(shownArticles).toEqual([job]);
    await page.keyboard.press('Escape');
    await expect.poll(shownArticles).toEqual([]);
    expect(await focused()).toBe(job);
    await page.keyboard.press('n');
    await expect.poll(shownArticles).toEqual([failed]);
    await page.keyboard.press('n');
    await page.locator('article:visible .tag', { hasText: 'flaky' }).first().waitFor();
    await page.keyboard.press('p');
    await expect.poll(shownArticles).toEqual([failed]);
    expect(opened.trouble).toEqual([]);
  });

  it('scrolls the page and not a box in it, with filter and head in sight, where the columns fit', async () => {
    await using opened = await open('sample', '', { viewport: { width: 1280, height: 500 } });
    const { page } = opened;
    expect(await page.locator('.scroller.fits').count()).toBe(1);
    const last = page.locator('[data-row]').last();
    await last.scrollIntoViewIfNeeded();
    const [filters, head] = [
      await page.locator('.filters').boundingBox(),
      await page.locator('.matrix thead').boundingBox(),
    ];
    expect(filters?.y).toBe(0);
    expect(head?.y).toBeCloseTo(filters?.height ?? 0, 0);
    expect((await last.boundingBox())?.y).toBeGreaterThan((head?.y ?? 0) + (head?.height ?? 0));
    await page.setViewportSize({ width: 760, height: 500 });
    await page.locator('.scroller:not(.fits)').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(760);
  });

  it('copies the command that runs the job again', async () => {
    await using opened = await open('sample', `#${failed}`, {
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    await opened.page.locator('article:visible .copy').click();
    await opened.page.locator('article:visible .copy', { hasText: 'Copied' }).waitFor();
    expect(await opened.page.evaluate('navigator.clipboard.readText()')).toBe(
      `npm run scenarios -- '${failed}'`,
    );
  });

  it('runs nothing that hostile text holds, and shows it as text', async () => {
    await using opened = await open('hostile');
    const { page } = opened;
    expect(await page.locator('a.cell').count()).toBe(6);
    for (const cell of await page.locator('a.cell').all()) {
      await cell.click();
      await page.evaluate(
        'for (const d of document.querySelectorAll("article:target details")) d.open = true',
      );
      await page.locator('article:visible .file pre', { hasText: 'pwned' }).nth(1).waitFor();
      expect(await page.locator('article:visible').innerText()).toContain(
        '<script>window.pwned = 1</script>',
      );
      await page.keyboard.press('Escape');
    }
    await page.locator('#text').fill('<script>');
    expect(await shownCells(page)).toBe(6);
    expect(await page.evaluate('window.pwned')).toBeUndefined();
    expect(await page.locator('#pwned, img, [onload], [onerror]').count()).toBe(0);
    expect(opened.trouble).toEqual([]);
  });

  it('forbids scripts even where one gets in', async () => {
    await using opened = await open('sample');
    await opened.page.evaluate(`
      document.body.insertAdjacentHTML('beforeend', '<img src="http://127.0.0.1:9/x" onerror="window.pwned = 1">');
      document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.pwned = 1' }));
    `);
    await expect
      .poll(() => opened.trouble.filter((text) => text.includes('Content Security Policy')).length)
      .toBeGreaterThan(1);
    expect(await opened.page.evaluate('window.pwned')).toBeUndefined();
  });

  it('shows matrix, problems and evidence without scripts too', async () => {
    await using opened = await open('sample', '', { javaScriptEnabled: false });
    expect(await shownCells(opened.page)).toBe(84);
    expect(await opened.page.locator('.filters').isVisible()).toBe(false);
    await opened.page.locator('a.cell.fail').click();
    expect(await opened.page.locator('article:visible').innerText()).toContain('pid 2214 (sleep)');
    await opened.page.locator('article:visible .close').click();
    await expect.poll(() => opened.page.locator('article:visible').count()).toBe(0);
  });

  it.each([
    ['sample', 1280, 'light'],
    ['sample', 1280, 'dark'],
    ['sample', 390, 'light'],
    ['hostile', 1280, 'light'],
    ['hostile', 1280, 'dark'],
    ['hostile', 390, 'dark'],
  ] as const)(
    'has no sideways scrolling and readable text: %s, %d, %s',
    async (report, width, colorScheme) => {
      await using opened = await open(report, '', { viewport: { width, height: 900 }, colorScheme });
      expect(await opened.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      expect(await opened.page.evaluate(poorContrast)).toEqual([]);
      await opened.page.locator('a.cell.fail').click();
      expect(await opened.page.evaluate(poorContrast)).toEqual([]);
    },
  );

  it('filters 4800 results of 40 cells', async () => {
    const [first] = sampleResults.results;
    const results = Array.from({ length: 4_800 }, (_, index) => ({
      ...(first ?? expect.fail('the sample is empty')),
      host: `host-${Math.trunc(index / 600)}`,
      driver: `driver-${Math.trunc(index / 120) % 5}`,
      scenario: `scenario-${index % 120}`,
      ...(index % 500 === 0 && { outcome: 'fail' as const, reason: 'needle' }),
    }));
    await writeReports(
      parseResults(JSON.stringify({ ...sampleResults, results }), 'large'),
      join(dir, 'large'),
    );
    await using opened = await open('large');
    await opened.page.locator('#text').fill('needle');
    expect(await shownCells(opened.page)).toBe(10);
  });
});

/** Texts whose contrast is below 4.5 : 1 (WCAG 2.2, 1.4.3), with their colours; runs in the page. */
const poorContrast = `(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const poor = new Set();
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '');
    if (!own || !element.checkVisibility() || element.closest('script, svg')) continue;
    const [a, b] = [rgba(getComputedStyle(element).color), ground(element)].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.add(element.tagName + '.' + element.className + ' ' + ratio.toFixed(2));
  }
  return [...poor];
})()`;
