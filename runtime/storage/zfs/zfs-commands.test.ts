import { expect, it } from 'vitest';
import { ZfsNames } from './zfs-commands.ts';

const names = new ZfsNames('tank/hull', '/var/lib/hull/zfs');

it('a layer without a parent is a dataset that nobody mounts by himself', () => {
  expect(names.create('base', undefined).join(' ')).toBe(
    'create -o mountpoint=legacy -o xattr=sa -o acltype=posixacl -o hull:home=/var/lib/hull/zfs tank/hull/base',
  );
});

it('a child is a clone of a snapshot of its own', () => {
  expect(names.clone('c1', 'base', 1024).map((words) => words.join(' '))).toEqual([
    'snapshot tank/hull/base@c1',
    'clone -o mountpoint=legacy -o xattr=sa -o acltype=posixacl -o hull:home=/var/lib/hull/zfs -o refquota=1024 tank/hull/base@c1 tank/hull/c1',
  ]);
});

it('a layer goes with its snapshots, then what it started from', () => {
  expect(names.destroy('c1').join(' ')).toBe('destroy -r tank/hull/c1');
  expect(names.destroySnapshot('base', 'c1').join(' ')).toBe('destroy -d tank/hull/base@c1');
});

it("others' datasets below the same parent are not ours", () => {
  const answer = [
    'tank/hull\t-',
    'tank/hull/c1\t/var/lib/hull/zfs',
    'tank/hull/home\t-',
    'tank/hull/c2\t/srv/hull/zfs',
    '',
  ];
  expect(names.parseList(answer.join('\n'))).toEqual(['c1']);
});

it('a mount is data', () => {
  expect(names.mount('c1')).toEqual({ type: 'zfs', source: 'tank/hull/c1', target: '', options: [] });
});
