import { describe, expect, it } from 'vitest';
import { compareResults } from '../compare.ts';
import { hostile, hostileResults } from '../testing/hostile.ts';
import { sampleBaseline, sampleResults } from '../testing/sample.ts';
import { html, jsonForScript } from './html.ts';
import { toHtml } from './page.ts';

describe('html', () => {
  it('escapes text in content and attributes, and keeps markup', () => {
    const inner = html`<b>${'<&>'}</b>`;
    expect(
      html`<i title="${`"'\``}">${inner}${[html`<u>${1}</u>`, 'x<']}${false}${undefined}</i>`.source,
    ).toBe('<i title="&#34;&#39;&#96;"><b>&#60;&#38;&#62;</b><u>1</u>x&#60;</i>');
  });

  it('writes JSON that cannot end its script element', () => {
    const text = jsonForScript({ a: '</script><!--\u2028&' });
    expect(text).not.toMatch(/[<>&\u2028]/);
    expect(JSON.parse(text)).toEqual({ a: '</script><!--\u2028&' });
  });
});

describe('toHtml', () => {
  const page = toHtml(sampleResults, { comparison: compareResults(sampleResults, sampleBaseline) });

  it('says in title and heading what the verdict is', () => {
    expect(page).toContain('<title>✗ red: 78 passed, 1 failed, 4 skipped, 1 flaky · seatrial</title>');
    const results = sampleResults.results.filter(({ outcome }) => outcome === 'pass');
    expect(toHtml({ ...sampleResults, results })).toContain('<title>✓ green: 78 passed · seatrial</title>');
    expect(toHtml({ ...sampleResults, results: [], hosts: [] })).toContain(
      'There is no result: nothing was tried.',
    );
  });

  it('refers to nothing outside of itself', () => {
    expect(page.match(/\b(?:src|href|action|data)="(?!#|\.\/evidence\/|data:image\/svg)[^"]*"/g)).toBeNull();
    expect(page).not.toMatch(/@import|url\(/);
  });

  it('has an article for each result, and each link in the page a place to go to', () => {
    const ids = new Set([...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id));
    const links = [...page.matchAll(/href="#([^"]*)"/g)].map(([, to]) => decodeURIComponent(to ?? ''));
    expect(links.length).toBeGreaterThan(sampleResults.results.length);
    expect([...new Set(links)].filter((to) => !ids.has(to))).toEqual(['closed']);
  });

  it('has the tags of calm text when all the text is hostile', () => {
    const tags = (source: string) =>
      source.replace(/<style>.*?<\/script>/s, '').match(/<\/?[a-z][a-z0-9]*/gi);
    const calm = JSON.parse(
      JSON.stringify(hostileResults).replaceAll(JSON.stringify(hostile).slice(1, -1), 'calm'),
    );
    expect(tags(toHtml(hostileResults))).toEqual(tags(toHtml(calm)));
  });

  it('stays small for a large run', () => {
    const cells = Array.from({ length: 40 }, (_, index) => ({
      host: `host-${index % 8}`,
      driver: `driver-${index >> 3}`,
    }));
    const [first] = sampleResults.results;
    const results = cells.flatMap((cell) =>
      Array.from({ length: 120 }, (_, index) => ({
        ...(first ?? expect.fail()),
        ...cell,
        scenario: `scenario-${index}`,
      })),
    );
    expect(toHtml({ ...sampleResults, results }).length / results.length).toBeLessThan(1_500);
  });
});
