import { expect, it } from 'vitest';
import { datasetOf } from './mounted-datasets.ts';
import { isDatasetName, ZfsNames } from './zfs-commands.ts';

const names = new ZfsNames('tank/hull/hull-00c0ffee');

it('all layers are in one dataset, which has what they inherit', () => {
  expect(names.createStorage().join(' ')).toBe(
    'create -o mountpoint=legacy -o xattr=sa -o acltype=posixacl -o atime=on -o relatime=on -o com.sun:auto-snapshot=false tank/hull/hull-00c0ffee',
  );
});

it('a layer without a parent is a dataset', () => {
  expect(names.create('sha256-1', 'AAAAAAAA', undefined).join(' ')).toBe(
    'create -o hull:layer=sha256-1 tank/hull/hull-00c0ffee/AAAAAAAA',
  );
});

it('a child is a clone of a snapshot of its own', () => {
  expect(names.clone('c1', 'CCCCCCCC', 'AAAAAAAA', 1024).map((words) => words.join(' '))).toEqual([
    'snapshot tank/hull/hull-00c0ffee/AAAAAAAA@CCCCCCCC',
    'clone -o hull:layer=c1 -o refquota=1024 tank/hull/hull-00c0ffee/AAAAAAAA@CCCCCCCC tank/hull/hull-00c0ffee/CCCCCCCC',
  ]);
});

it('a layer goes with its snapshots, then what it started from', () => {
  expect(names.destroy('CCCCCCCC').join(' ')).toBe('destroy -r tank/hull/hull-00c0ffee/CCCCCCCC');
  expect(names.destroySnapshot('AAAAAAAA', 'CCCCCCCC').join(' ')).toBe(
    'destroy -d tank/hull/hull-00c0ffee/AAAAAAAA@CCCCCCCC',
  );
});

it('what others put beside layers, and snapshots that they take of them, are not ours', () => {
  const answer = [
    'tank/hull/hull-00c0ffee',
    'tank/hull/hull-00c0ffee@yesterday',
    'tank/hull/hull-00c0ffee/AAAAAAAA',
    'tank/hull/hull-00c0ffee/AAAAAAAA@CCCCCCCC',
    'tank/hull/hull-00c0ffee/AAAAAAAA@yesterday',
    'tank/hull/hull-00c0ffee/CCCCCCCC',
    'tank/hull/hull-00c0ffee/home',
    '',
  ];
  expect(names.parseList(answer.join('\n'))).toEqual({
    keys: ['AAAAAAAA', 'CCCCCCCC'],
    snapshots: [{ parentKey: 'AAAAAAAA', key: 'CCCCCCCC' }],
  });
});

it('a mount is data', () => {
  expect(names.mount('CCCCCCCC')).toEqual({
    type: 'zfs',
    source: 'tank/hull/hull-00c0ffee/CCCCCCCC',
    target: '',
    options: [],
  });
});

it.each([
  ['tank', true],
  ['tank/hull', true],
  ['tank/a b/c-1_2.3:4', true],
  ['', false],
  ['-r', false],
  ['/tank', false],
  ['tank/', false],
  ['tank//hull', false],
  ['tank@snapshot', false],
  [`tank/${'x'.repeat(250)}`, false],
])('%j names a dataset: %s', (text, expected) => {
  expect(isDatasetName(text)).toBe(expected);
});

it("the kernel's statistics name the dataset", () => {
  const text = [
    '38 1 0x01 7 2160 5129865283 1113410838',
    'name                            type data',
    'dataset_name                    7    tank/a b/AAAAAAAA',
    'writes                          4    0',
    '',
  ];
  expect(datasetOf(text.join('\n'))).toBe('tank/a b/AAAAAAAA');
  expect(datasetOf('')).toBeUndefined();
});
