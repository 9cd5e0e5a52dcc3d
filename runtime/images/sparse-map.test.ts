import { describe, expect, test } from 'vitest';
import { headerOf, padded, paxOf, piecesOf, tarOf } from './tar-fixture.ts';
import { readTar } from './tar-reader.ts';

const stored = Buffer.from('onetwo');
/** `one` at 1000, `two` at 3000, 4096 bytes in all. */
const whole = Buffer.alloc(4096);
whole.write('one', 1000);
whole.write('two', 3000);

const entry = (size: number) => headerOf({ name: 'GNUSparseFile.1/file', flag: '0', size });
const version1 = (map: string, records: Record<string, string> = {}) => {
  const content = Buffer.concat([padded(Buffer.from(map)), stored]);
  const said = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'file' };
  return [
    paxOf({ ...said, 'GNU.sparse.realsize': '4096', ...records }),
    entry(content.length),
    padded(content),
  ];
};
const version01 = (map: string, size = '4096') => [
  paxOf({ 'GNU.sparse.size': size, 'GNU.sparse.name': 'file', 'GNU.sparse.map': map }),
  entry(6),
  padded(stored),
];

describe('a sparse file', () => {
  test.each<[string, Buffer[]]>([
    [
      'old GNU',
      oldGnu([
        [1000, 3],
        [3000, 3],
      ]),
    ],
    ['PAX 0.0', [Buffer.concat([listRecords(), entry(6), padded(stored)])]],
    ['PAX 0.1', version01('1000,3,3000,3')],
    ['PAX 1.0', version1('2\n1000\n3\n3000\n3\n')],
    ['PAX 1.0 with its end marked', version1('3\n1000\n3\n3000\n3\n4096\n0\n')],
  ])('in form %s is read with its holes, and the next entry after it', async (_, blocks) => {
    for (const size of [1, 511, 100_000]) {
      const archive = await tarOf([...blocks, { name: 'next', data: 'x' }]);
      const found: { name: string; size: number; data: Buffer }[] = [];
      for await (const { name, size: length, body } of readTar(piecesOf(archive, size))) {
        const chunks: Buffer[] = [];
        for await (const chunk of body()) chunks.push(chunk);
        found.push({ name, size: length, data: Buffer.concat(chunks) });
      }
      expect(found).toEqual([
        { name: 'file', size: 4096, data: whole },
        { name: 'next', size: 1, data: Buffer.from('x') },
      ]);
    }
  });

  test.each<[string, Buffer[], RegExp]>([
    ['fragments that overlap', version01('1000,3,1001,3'), /from 1001 to 1004, wanted it between 1003/],
    ['a fragment beyond the end', version01('1000,3,4095,3'), /from 4095 to 4098/],
    ['a fragment before the begin', version01('-1,3,3000,3'), /from -1 to 2/],
    ['half a pair', version01('1000,3,3000'), /3 numbers/],
    ['no numbers', version01('a,b,c,d'), /NaN/],
    ['less in the map than is stored', version01('1000,3'), /3 bytes in its map and 6 stored/],
    ['no size', version01('1000,3,3000,3', ''), /of 0 bytes/],
    ['a size beyond numbers', version01('1000,3,3000,3', '9'.repeat(30)), /of size 1e\+30/],
    [
      'another version',
      version1('0\n', { 'GNU.sparse.major': '2' }),
      /version 2\.0, wanted 0\.0, 0\.1 or 1\.0/,
    ],
    ['a map without an end', version1('100000\n'), /without an end/],
    ['a map that is none', version1('many\n'), /0 bytes in its map/],
    ['an old map that goes on where there is none', oldGnu([[1000, 3]], 1), /sparse file/],
  ])('with %s is refused as damaged', async (_, blocks, reason) => {
    const archive = await tarOf(blocks);
    const read = async () => {
      for await (const { body } of readTar(piecesOf(archive))) for await (const _chunk of body());
    };
    await expect(read()).rejects.toMatchObject({ kind: 'invalid', message: expect.stringMatching(reason) });
  });
});

/** Version 0.0 gives both records once for each fragment. */
function listRecords(): Buffer {
  const record = (key: string, value: string) => {
    const rest = ` GNU.sparse.${key}=${value}\n`;
    return `${rest.length + 2}${rest}`;
  };
  const text = [
    record('size', '4096'),
    record('numblocks', '2'),
    record('offset', '1000'),
    record('numbytes', '3'),
    record('offset', '3000'),
    record('numbytes', '3'),
    '13 path=file\n',
  ].join('');
  const data = Buffer.from(text);
  return Buffer.concat([headerOf({ name: 'x', flag: 'x', size: data.length }), padded(data)]);
}

function oldGnu(fragments: readonly (readonly [number, number])[], extended = 0): Buffer[] {
  const block = headerOf({ name: 'file', flag: 'S', size: 6 });
  for (const [index, [offset, length]] of fragments.entries()) {
    block.write(`${offset.toString(8).padStart(11, '0')}\0`, 386 + 24 * index);
    block.write(`${length.toString(8).padStart(11, '0')}\0`, 398 + 24 * index);
  }
  block[482] = extended;
  block.write('00000010000\0', 483);
  block.write('ustar  \0', 257);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [block, padded(stored)];
}
