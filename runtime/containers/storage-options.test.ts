import { expect, it } from 'vitest';
import { layerSize } from './storage-options.ts';

it.each([
  [{}, undefined],
  [{ size: '120M' }, 120 * 1024 ** 2],
])('%j limits the layer to %s bytes', (options, bytes) => {
  expect(layerSize(options)).toBe(bytes);
});

it.each([{ size: '' }, { size: '0' }, { size: 'much' }, { inodes: '5' }])('%j is refused', (options) => {
  expect(() => layerSize(options)).toThrow(expect.objectContaining({ kind: 'invalid' }));
});
