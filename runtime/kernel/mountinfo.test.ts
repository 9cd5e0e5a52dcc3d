import { describe, expect, it } from 'vitest';
import { coveringMount, escapeMountPath, isWithin, parseMountInfo } from './mountinfo.ts';

const lines = [
  '21 27 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw',
  '27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro',
  '40 27 254:1 /srv/with\\040space /mnt/a\\011b\\134c rw master:3 propagate_from:2 - ext4 /dev/vda1 rw',
  '41 27 0:44 / /merged rw unbindable - overlay overlay rw,lowerdir=A/diff:B/diff,upperdir=/l/C\\054D/diff,workdir=/l/C\\054D/work',
  '42 27 0:45 / /plain ro,noexec - tmpfs none rw',
  '43 27 0:46 / /mnt rw - tmpfs first rw',
  '44 43 0:47 / /mnt rw - tmpfs second rw',
];

describe('parseMountInfo', () => {
  const mounts = parseMountInfo(`${lines.join('\n')}\n`);

  it('reads numbers, device and options', () => {
    expect(mounts[1]).toEqual({
      id: 27,
      parentId: 1,
      major: 254,
      minor: 1,
      root: '/',
      mountPoint: '/',
      options: ['rw', 'relatime'],
      propagation: ['shared:1'],
      type: 'ext4',
      source: '/dev/vda1',
      superOptions: ['rw', 'errors=remount-ro'],
    });
  });

  it.each([
    [2, 'two optional fields', { propagation: ['master:3', 'propagate_from:2'], type: 'ext4' }],
    [2, 'octal escapes', { root: '/srv/with space', mountPoint: '/mnt/a\tb\\c' }],
    [3, 'a field without a number', { propagation: ['unbindable'], type: 'overlay' }],
    [4, 'no optional field', { propagation: [], options: ['ro', 'noexec'], source: 'none' }],
  ])('line %i: %s', (index, _, expected) => {
    expect(mounts[index]).toMatchObject(expected);
  });

  it('cuts super options before it takes their escapes away', () => {
    expect(mounts[3]?.superOptions).toContain('upperdir=/l/C,D/diff');
  });

  it.each([
    ['/sys/kernel', 'sysfs'],
    ['/system', '/dev/vda1'],
    ['/mnt/file', 'second'],
    ['/', '/dev/vda1'],
  ])('%s is shown by %s', (path, source) => {
    expect(coveringMount(mounts, path)?.source).toBe(source);
  });
});

it('an empty table has no mounts', () => {
  expect(parseMountInfo('')).toEqual([]);
});

it('a path is escaped as the kernel does', () => {
  expect(escapeMountPath('/a b\tc\nd\\e#f')).toBe('/a\\040b\\011c\\012d\\134e#f');
});

it.each([
  ['/a/b', '/a', true],
  ['/a', '/a', true],
  ['/ab', '/a', false],
  ['/ab', '/', true],
  ['/a', '/a/b', false],
])('%s within %s: %s', (path, folder, expected) => {
  expect(isWithin(path, folder)).toBe(expected);
});
