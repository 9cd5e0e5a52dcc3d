import { expect, it } from 'vitest';
import { parseSize, sizeText } from './driver-options.ts';

it.each([
  ['0', 0],
  ['512', 512],
  ['64K', 65_536],
  ['10G', 10 * 1024 ** 3],
  ['10GB', 10 * 1024 ** 3],
  ['1.5tib', 1.5 * 1024 ** 4],
])('%s is %i bytes', (text, bytes) => {
  expect(parseSize('key', text)).toBe(bytes);
});

it.each(['', '-1', '10X', 'G', '1 0', '0x10'])('%j is no size', (text) => {
  expect(() => parseSize('key', text)).toThrow(expect.objectContaining({ kind: 'invalid' }));
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [65_536, '65.54 kB'],
  [10_737_418_240, '10.74 GB'],
  [5e15, '5000 TB'],
])('%i bytes are %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});
