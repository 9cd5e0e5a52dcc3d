import { describe, expect, test } from 'vitest';
import { allCapabilities, boundingSet, chooseCapabilities, defaultCapabilities } from './capabilities.ts';

const wish = { add: [], drop: [], privileged: false, own: allCapabilities };
const without = (...names: string[]) => allCapabilities.filter((name) => !names.includes(name));

test.each([
  ['000001ffffffffff', allCapabilities],
  ['000001fffeffffff', without('CAP_SYS_RESOURCE')],
  ['0000000000000021', ['CAP_CHOWN', 'CAP_KILL']],
  // Of a kernel that has more than we know.
  ['ffffffffffffffff', allCapabilities],
])('a bounding set of %s', (bits, names) => {
  expect(boundingSet(`CapEff:\t0\nCapBnd:\t${bits}\nCapAmb:\t0\n`)).toEqual(names);
});

describe('what the daemon does not have', () => {
  const own = without('CAP_MKNOD', 'CAP_SYS_TIME');

  test('no container has: privileged, ALL, the default', () => {
    expect(chooseCapabilities({ ...wish, own, privileged: true })).toEqual(own);
    expect(chooseCapabilities({ ...wish, own, add: ['ALL'] })).toEqual(own);
    expect(chooseCapabilities({ ...wish, own })).toEqual(
      own.filter((name) => defaultCapabilities.includes(name)),
    );
  });

  test('and asking for it by name is refused', () => {
    expect(() => chooseCapabilities({ ...wish, own, add: ['sys_time'] })).toThrow(
      /^Cannot use HostConfig.CapAdd: found CAP_SYS_TIME, which the daemon itself does not have/,
    );
  });
});
