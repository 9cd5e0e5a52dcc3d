import { describe, expect, it } from 'vitest';
import { sampleResults } from '../testing/sample.ts';
import { clip, pad, wrap } from './layout.ts';
import { scenarioMatrix, stateOfResults } from './matrix.ts';
import { createStyle } from './style.ts';
import { renderTable } from './table.ts';

const paint = { heading: String, label: String };

function table(groups: Readonly<Record<string, number>>) {
  const columns = Object.entries(groups).flatMap(([group, size]) =>
    Array.from({ length: size }, (_, index) => ({ key: `${group}${index}`, group, label: `d${index}` })),
  );
  const rows = [
    { key: 'h', label: 'area', heading: true },
    { key: 'r', label: 'row' },
  ];
  return { rows, columns, cell: () => ({ text: '✓ pass', paint: String }) };
}

describe('renderTable', () => {
  it('puts columns under their group', () => {
    expect(renderTable(table({ one: 2, two: 1 }), 80, paint)).toEqual([
      '      one             two',
      '      d0      d1      d0',
      'area',
      'row   ✓ pass  ✓ pass  ✓ pass',
    ]);
  });

  it('goes on below where the width ends, with whole groups', () => {
    expect(renderTable(table({ one: 2, two: 2 }), 30, paint)).toEqual([
      '      one',
      '      d0      d1',
      'area',
      'row   ✓ pass  ✓ pass',
      '',
      '      two',
      '      d0      d1',
      'area',
      'row   ✓ pass  ✓ pass',
    ]);
  });

  it('breaks a group that is wider than the screen, and loses no column', () => {
    const lines = renderTable(table({ one: 30 }), 40, paint);
    expect(lines.filter((line) => line.length > 40)).toEqual([]);
    expect(lines.join('\n').match(/✓ pass/g)).toHaveLength(30);
  });

  it('gives a long group name its room', () => {
    expect(renderTable(table({ 'a-very-long-host': 1, b: 1 }), 80, paint)[0]).toBe(
      '      a-very-long-host  b',
    );
  });

  it('is empty for no columns but its rows', () => {
    expect(renderTable(table({}), 80, paint)).toEqual([]);
  });
});

describe('scenarioMatrix', () => {
  const plain = createStyle(false);

  it('folds the areas that passed everywhere when it is long', () => {
    const results = sampleResults.results.flatMap((result) => [
      result,
      ...[1, 2, 3].map((n) => ({ ...result, outcome: 'pass' as const, area: `more-${n}` })),
    ]);
    const lines = scenarioMatrix(stateOfResults(results), 120, plain);
    expect(lines.join('\n')).toMatch(/^more-2 \(14\) +✓ pass/m);
    expect(lines.join('\n')).toMatch(/^ {2}released-when-holder-goes +✓ pass +✓ pass +✗ fail/m);
  });

  it('leaves a place empty where nothing was planned', () => {
    const [one, ...rest] = sampleResults.results;
    if (!one) throw new Error('the sample is empty');
    const lines = scenarioMatrix(stateOfResults([...rest.slice(0, 20)]), 80, plain);
    expect(lines.some((line) => /^ {2}exit-code-is-kept {19,}✓ pass$/.test(line))).toBe(true);
  });
});

describe('layout', () => {
  it('clips with a mark', () => {
    expect(clip('abcdef', 4)).toBe('abc…');
    expect(clip('abcd', 4)).toBe('abcd');
    expect(clip('abcd', 0)).toBe('');
    expect(pad('✓', 3)).toBe('✓  ');
  });

  it('wraps words, keeps indentation and never breaks a word', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('  one two', 7)).toEqual(['  one', 'two']);
    expect(wrap('a\n\nb', 7)).toEqual(['a', '', 'b']);
    expect(wrap('a verylongword b', 5)).toEqual(['a', 'verylongword', 'b']);
  });
});
