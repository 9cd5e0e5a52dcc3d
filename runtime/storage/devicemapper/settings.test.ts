import { describe, expect, it } from 'vitest';
import { checkAgainstPool, parseDevicemapperOptions } from './settings.ts';

const gib = 1024 ** 3;
const parse = (...pairs: [string, string][]) => parseDevicemapperOptions(new Map(pairs));

it('defaults are those of a pool of 100 GiB with layers of 10 GiB', () => {
  expect(parse()).toEqual({
    pool: { dataSize: 100 * gib, metadataSize: 2 * gib, blockSize: 65_536, baseSize: 10 * gib, fs: 'ext4' },
    asked: {},
    minFree: 0.1,
    deferredRemoval: true,
    deferredDeletion: false,
    discardBlocks: true,
    mountWords: [],
    xfsRetries: 0,
  });
});

it('what is said is used, and told from what is not', () => {
  const options = parse(
    ['dm.basesize', '1.5G'],
    ['dm.fs', 'xfs'],
    ['dm.min_free_space', '0%'],
    ['dm.use_deferred_removal', 'false'],
  );
  expect(options).toMatchObject({
    asked: { baseSize: 1.5 * gib, fs: 'xfs' },
    minFree: 0,
    deferredRemoval: false,
  });
});

describe('a wrong option is an error with key, value and what is wanted', () => {
  it.each([
    ['dm.basesize', 'big', /"dm.basesize": found "big", wanted a size/],
    ['dm.basesize', '1K', /wanted at least 16M/],
    ['dm.blocksize', '100K', /"100K", wanted a multiple of 64K/],
    ['dm.fs', 'btrfs', /"btrfs", wanted ext4 or xfs/],
    ['dm.min_free_space', '10', /"10", wanted a percentage/],
    ['dm.use_deferred_removal', 'yes', /"yes", wanted true or false/],
    ['dm.xfs_nospace_max_retries', '-1', /"-1", wanted a whole number/],
    ['dm.thinpooldev', '/dev/x', /"\/dev\/x", wanted the name of a thin pool/],
    ['dm.datadev', '/dev/sdb', /"dm.metadatadev": found "nothing", wanted a block device of its own/],
    ['dm.nonsense', '1', /has no option "dm.nonsense"; it has dm.loopdatasize, /],
    ['overlay.size', '1', /has no option "overlay.size"/],
  ])('%s=%s', (key, value, text) => {
    expect(() => parse([key, value])).toThrow(
      expect.objectContaining({ kind: 'invalid', message: expect.stringMatching(text) }),
    );
  });
});

it('options that exclude each other are refused', () => {
  const devices: [string, string][] = [
    ['dm.datadev', '/dev/sdb'],
    ['dm.metadatadev', '/dev/sdc'],
  ];
  expect(parse(...devices)).toMatchObject({
    asked: { devices: { data: '/dev/sdb', metadata: '/dev/sdc' } },
    discardBlocks: false,
  });
  expect(() => parse(...devices, ['dm.loopdatasize', '1G'])).toThrow(/wanted no dm.datadev beside it/);
  expect(() => parse(...devices, ['dm.thinpooldev', 'pool'])).toThrow(/wanted no dm.thinpooldev beside it/);
  expect(() => parse(['dm.thinpooldev', 'pool'], ['dm.blocksize', '64K'])).toThrow(/the pool has its own/);
  expect(() => parse(['dm.use_deferred_removal', 'false'], ['dm.use_deferred_deletion', 'true'])).toThrow(
    /wanted false where dm.use_deferred_removal is false/,
  );
});

it.each(['baseSize', 'dataSize', 'metadataSize'])('%s may grow and not shrink', (name) => {
  const { pool } = parse(['dm.loopdatasize', '20G'], ['dm.loopmetadatasize', '20G']);
  const settings = { version: 1, state: 'ready', ...pool, grownTo: 20 * gib } as const;
  checkAgainstPool({ [name]: 30 * gib }, settings);
  checkAgainstPool({ [name]: 20 * gib }, settings);
  expect(() => checkAgainstPool({ [name]: 10 * gib }, settings)).toThrow(`its ${name} is 21474836480`);
});

it('a pool keeps what it was made with', () => {
  const { pool } = parse();
  const settings = { version: 1, state: 'ready', ...pool } as const;
  checkAgainstPool({ baseSize: 10 * gib }, settings);
  expect(() => checkAgainstPool({ fs: 'xfs' }, settings)).toThrow(
    /its fs is ext4 since it was made, and the options say xfs/,
  );
});
