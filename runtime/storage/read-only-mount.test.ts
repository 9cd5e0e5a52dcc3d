import { expect, test } from 'vitest';
import { readOnlyMount } from './read-only-mount.ts';

test.each([
  [
    'an overlay has its upper folder on top of the lower ones, relative to the folder it is mounted from',
    {
      type: 'overlay',
      cwd: '/data,x/l',
      options: [
        'lowerdir=B/diff:C/diff',
        'upperdir=/data\\,x/l/A/diff',
        'workdir=/data\\,x/l/A/work',
        'index=off',
      ],
    },
    ['lowerdir=A/diff:B/diff:C/diff', 'index=off'],
  ],
  [
    'an upper folder elsewhere stays absolute, its signs escaped',
    { type: 'overlay', options: ['lowerdir=/b', 'upperdir=/a:1\\,2', 'workdir=/w'] },
    ['lowerdir=/a\\:1\\,2:/b'],
  ],
  [
    'an aufs has no branch for writing',
    { type: 'aufs', cwd: '/data/l', options: ['br:A=rw:B=ro+wh', 'dio', 'noxino'] },
    ['br:A=ro+wh:B=ro+wh', 'dio', 'noxino', 'ro'],
  ],
  ['a bind', { type: 'bind', options: [] }, ['ro']],
  ['a device', { type: 'ext4', options: ['discard'] }, ['discard', 'ro']],
])('%s', (_, mount, options) => {
  expect(readOnlyMount({ source: 'x', target: '', ...mount })).toEqual({
    source: 'x',
    target: '',
    ...mount,
    options,
  });
});
