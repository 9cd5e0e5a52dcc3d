import { describe, expect, it } from 'vitest';
import { processorMask } from './affinity-steps.ts';

const field = 'process.execCPUAffinity.final';

describe('the mask of a list of processors', () => {
  it.each([
    ['0', '0100000000000000'],
    ['0-3,7', '8f00000000000000'],
    ['1, 9', '0202000000000000'],
    ['64', '00000000000000000100000000000000'],
  ])('%s', (list, hex) => {
    expect(processorMask(list, field).toString('hex')).toBe(hex);
  });

  it.each(['a', '3-1', '-1', '1,,2', '8192', '0-99999'])('refuses %s by the name of its field', (list) => {
    expect(() => processorMask(list, field)).toThrow(`Cannot use ${field} "${list}": wanted a list`);
  });
});
