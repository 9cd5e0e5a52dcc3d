import { expect, test } from 'vitest';
import { parseSignal } from './signals.ts';

test.each([
  ['SIGTERM', 15],
  ['term', 15],
  ['10', 10],
  ['SIGUSR1', 10],
  ['RTMIN+3', 37],
  ['SIGRTMAX-1', 63],
  ['SIGRTMIN', 34],
])('%s is %i', (text, number) => {
  expect(parseSignal(text)).toBe(number);
});

test.each(['', '0', '65', 'SIGNONSENSE', 'RTMIN+99', '-9'])('%j is refused', (text) => {
  expect(() => parseSignal(text)).toThrow(expect.objectContaining({ kind: 'invalid' }));
});
