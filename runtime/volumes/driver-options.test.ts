import { expect, test } from 'vitest';
import { parseDriverOptions } from './driver-options.ts';

test.each([
  [{}, undefined],
  [
    { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=7' },
    { type: 'tmpfs', device: 'tmpfs', options: ['size=1m', 'uid=7'] },
  ],
  [
    { type: 'none', device: '/srv', o: 'bind' },
    { type: 'none', device: '/srv', options: ['bind'] },
  ],
  [
    { type: 'nfs', device: ':/export' },
    { type: 'nfs', device: ':/export', options: [] },
  ],
])('%j', (options, wanted) => {
  expect(parseDriverOptions(options)).toEqual(wanted);
});

test.each([
  [{ colour: 'red' }, 'invalid', /invalid option: "colour"/],
  [{ type: 'tmpfs' }, 'invalid', /missing required option: "device"/],
  [{ device: '/dev/sda' }, 'invalid', /missing required option: "type"/],
  [{ o: 'ro' }, 'invalid', /missing required option: "type"/],
  [{ type: 'none', device: 'srv', o: 'bind' }, 'invalid', /absolute path/],
  [{ type: '', device: '/dev/sda' }, 'invalid', /type: found nothing/],
  [{ size: '1G' }, 'unsupported', /size=1G/],
])('%j is refused', (options, kind, message) => {
  expect(() => parseDriverOptions(options)).toThrow(
    expect.objectContaining({ kind, message: expect.stringMatching(message) }),
  );
});
