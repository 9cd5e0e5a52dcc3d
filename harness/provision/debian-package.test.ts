import { expect, it } from 'vitest';
import { parsePackages } from './debian-package.ts';

it.each([
  ['none', [], { names: [], components: ['main'] }],
  ['of main, each once', ['udev', 'kmod', 'udev'], { names: ['kmod', 'udev'], components: ['main'] }],
  [
    'of other components',
    ['non-free/nvidia', 'contrib/zfs-dkms', 'linux-headers-amd64', 'contrib/zfsutils-linux'],
    {
      names: ['linux-headers-amd64', 'nvidia', 'zfs-dkms', 'zfsutils-linux'],
      components: ['main', 'contrib', 'non-free'],
    },
  ],
])('packages: %s', (_, words, expected) => {
  expect(parsePackages(words)).toEqual(expected);
});

it.each(['', '-y', 'Contrib/zfs', 'universe/zfs', 'zfs dkms', 'contrib/'])('%j is no package', (word) => {
  expect(() => parsePackages([word])).toThrow(`Cannot use package ${JSON.stringify(word)}: wanted a name`);
});
