import { expect, it } from 'vitest';
import { makeDevice, splitDevice } from './mknod.ts';

// Values of glibc's makedev.
it.each([
  [0, 0, 0n],
  [1, 3, 0x103n],
  [8, 300, 0x10082cn],
  [254, 1_048_575, 0xfff0feffn],
  [0x12345, 0x54321, 0x1200054334521n],
])('%i:%i is %s', (major, minor, device) => {
  expect(makeDevice(major, minor)).toBe(device);
  expect(splitDevice(device)).toEqual({ major, minor });
});
