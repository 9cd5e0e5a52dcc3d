import { describe, expect, test } from 'vitest';
import { parseMountInfo } from '../../kernel/mountinfo.ts';
import { checkPropagation } from './check-propagation.ts';

const mounts = parseMountInfo(
  [
    '20 1 8:1 / / rw shared:1 - ext4 /dev/sda rw',
    '21 20 8:2 / /private rw - ext4 /dev/sdb rw',
    '22 20 8:3 / /slave rw master:1 - ext4 /dev/sdc rw',
  ].join('\n'),
);
const check = (source: string, propagation: string) => checkPropagation(source, propagation, () => mounts);

describe('checkPropagation', () => {
  test.each([
    ['/home', 'rshared'],
    ['/home', 'slave'],
    ['/slave/x', 'rslave'],
    ['/private/x', 'rprivate'],
    ['/privateer', 'shared'],
  ])('%s can be %s', (source, propagation) => {
    expect(() => check(source, propagation)).not.toThrow();
  });

  test.each([
    ['/private/x', 'shared', 'path /private/x is mounted on /private but it is not a shared mount'],
    ['/private/x', 'rslave', 'path /private/x is mounted on /private but it is not a shared or slave mount'],
    ['/slave', 'rshared', 'path /slave is mounted on /slave but it is not a shared mount'],
  ])('%s cannot be %s', (source, propagation, message) => {
    expect(() => check(source, propagation)).toThrow(expect.objectContaining({ kind: 'invalid', message }));
  });
});
