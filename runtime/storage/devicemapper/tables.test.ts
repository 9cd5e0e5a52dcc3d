import { describe, expect, it } from 'vitest';
import { parsePoolStatus, poolTable, thinTable } from './tables.ts';

const gib = 1024 ** 3;

it('a pool table is data and metadata by number, blocks in sectors, features counted', () => {
  expect(
    poolTable({ dataSize: 100 * gib, blockSize: 65536 }, { major: 7, minor: 0 }, { major: 7, minor: 1 }),
  ).toEqual({
    start: 0n,
    length: 209_715_200n,
    type: 'thin-pool',
    params: '7:0 7:1 128 512 2 skip_block_zeroing error_if_no_space',
  });
});

it('a thin table is the pool and the device number', () => {
  expect(thinTable({ major: 254, minor: 3 }, 17, 10 * gib)).toEqual({
    start: 0n,
    length: 20_971_520n,
    type: 'thin',
    params: '254:3 17',
  });
});

describe('the status of a pool', () => {
  it.each([
    [
      '7 4163/524288 131/1638400 - rw discard_passdown error_if_no_space - 1024',
      {
        transaction: 7,
        metadataUsed: 4163,
        metadataTotal: 524_288,
        dataUsed: 131,
        dataTotal: 1_638_400,
        mode: 'rw',
        heldRoot: undefined,
      },
    ],
    [
      '7 1/2 3/4 - out_of_data_space discard_passdown error_if_no_space - 1024',
      { mode: 'out_of_data_space' },
    ],
    [
      '7 1/2 3/4 12 ro discard_passdown error_if_no_space needs_check 1024',
      { mode: 'ro', needsCheck: true, heldRoot: 12 },
    ],
    // Kernel 3.10 has no more than this.
    ['0 10/20 3/4 - rw discard_passdown', { mode: 'rw', needsCheck: false }],
    ['Fail', { mode: 'Fail', needsCheck: true }],
  ])('%s', (params, expected) => {
    expect(parsePoolStatus('p', params)).toMatchObject(expected);
  });

  it('that cannot be read is an error with the value found', () => {
    expect(() => parsePoolStatus('p', 'Error')).toThrow(/pool p: found "Error"/);
  });
});
