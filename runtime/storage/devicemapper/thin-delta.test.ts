import { describe, expect, it } from 'vitest';
import { DeltaParser, tellsTruth } from './thin-delta.ts';

const question = { metadata: '/dev/loop0', snapshot: true, left: 1, right: 2, blockSize: 65_536 };
const [header, footer] = [
  [
    '<superblock uuid="" time="2" transaction="3" data_block_size="128" nr_data_blocks="16384">',
    '  <diff left="1" right="2">',
  ],
  ['  </diff>', '</superblock>'],
];

function read(lines: readonly string[]) {
  const parser = new DeltaParser(question);
  for (const line of lines) parser.take(line);
  return parser.end();
}

describe('what thin_delta says', () => {
  it('counts only where two devices share blocks; neighbours are one range', () => {
    const ranges = [
      '    <same begin="0" length="2"/>',
      '    <different begin="2" length="2"/>',
      '    <same begin="4" length="1"/>',
      '    <same begin="5" length="3"/>',
      '    <left_only begin="9" length="1"/>',
      '    <right_only begin="23" length="3"/>',
      '    <same begin="30" length="1"/>',
    ];
    expect(read([...header, ...ranges, ...footer])).toEqual([
      { begin: 0, end: 2 * 65_536 },
      { begin: 4 * 65_536, end: 8 * 65_536 },
      { begin: 30 * 65_536, end: 31 * 65_536 },
    ]);
  });

  it('may be nothing', () => {
    expect(read([...header, ...footer])).toEqual([]);
  });

  it.each([
    ['ends in the middle', [...header, '    <same begin="0" length="2"/>']],
    ['is of other devices', [header[0] ?? '', '  <diff left="1" right="3">', ...footer]],
    ['has blocks of another size', [(header[0] ?? '').replace('128', '256'), header[1] ?? '', ...footer]],
    [
      'goes back',
      [...header, '    <same begin="7" length="2"/>', '    <same begin="8" length="2"/>', ...footer],
    ],
    ['has a range without an end', [...header, '    <same begin="7"/>', ...footer]],
    ['has an element that nobody knows', [...header, '    <similar begin="7" length="1"/>', ...footer]],
    ['is something else', ['Permission denied']],
    ['goes on behind its end', [...header, ...footer, ...header]],
    ['is empty', []],
  ])('is refused where it %s', (_, lines) => {
    expect(() => read(lines)).toThrow(/Cannot read what thin_delta says: found/);
  });
});

it.each([
  ['0.6.3', false],
  ['0.7.4', true],
  ['0.9.0', true],
  ['1.0.0', false],
  ['1.0.5', false],
  ['1.0.6', true],
  ['1.1.0', true],
  ['2.0.0', true],
])('version %s of it is believed: %s', (version, believed) => {
  expect(tellsTruth(version)).toBe(believed);
});
