import { describe, expect, it } from 'vitest';
import { parseMountOptions } from '../../kernel/mount-options.ts';
import { type AufsMount, aufsMounts, chooseXino, refusedBelowAufs } from './aufs-mounts.ts';

const mount = (change: Partial<AufsMount> = {}): AufsMount => ({
  folder: '/var/lib/hull/aufs/diff',
  branches: ['TOP', 'MID', 'LOW'],
  xino: '/run/hull/aufs/aufs.xino',
  dirperm1: true,
  pageSize: 4096,
  ...change,
});

it('one branch is written to, the others keep their whiteouts', () => {
  expect(aufsMounts(mount())).toEqual([
    {
      type: 'aufs',
      source: '/var/lib/hull/aufs/diff/TOP',
      target: '',
      options: [
        'br:TOP=rw:MID=ro+wh:LOW=ro+wh',
        'dio',
        'xino=/run/hull/aufs/aufs.xino',
        'noplink',
        'dirperm1',
      ],
      cwd: '/var/lib/hull/aufs/diff',
    },
  ]);
});

it('without a place for the inode table and without dirperm1', () => {
  expect(aufsMounts(mount({ branches: ['TOP'], xino: undefined, dirperm1: false }))[0]?.options).toEqual([
    'br:TOP=rw',
    'dio',
    'noxino',
    'noplink',
  ]);
});

describe.each([256, 1000, 4096])(
  'branches beyond a page of %i bytes are appended by remounts',
  (pageSize) => {
    const names = Array.from({ length: 127 }, (_, at) =>
      `BRANCH${String(at).padStart(3, '0')}`.padEnd(30, 'X'),
    );
    const [top = '', ...rest] = names;
    const mounts = aufsMounts(mount({ branches: [top, ...rest], pageSize }));

    it('every call fits', () => {
      for (const { options } of mounts) {
        expect(Buffer.byteLength(parseMountOptions(options).data)).toBeLessThan(pageSize);
      }
    });

    it('no call has more branches and options than aufs can keep in a page', () => {
      for (const { options } of mounts) {
        const branches = options[0]?.startsWith('br:') ? options[0].split(':').length - 1 : 0;
        expect((options.length + Math.max(branches - 1, 0)) * 48).toBeLessThan(pageSize);
      }
    });

    it('each branch is there once, in order', () => {
      const [first, ...appended] = mounts;
      const union = (first?.options[0] ?? '').slice('br:'.length).split(':');
      const below = appended.flatMap(({ options }) =>
        options.slice(1).map((word) => word.replace(/^append:/, '')),
      );
      expect([...union, ...below]).toEqual([`${top}=rw`, ...rest.map((name) => `${name}=ro+wh`)]);
      expect(appended.every(({ options }) => options[0] === 'remount' && options.length > 1)).toBe(true);
    });
  },
);

describe('the table of inode numbers', () => {
  const run = { folder: '/run/hull/aufs', type: 'tmpfs', freeBytes: 2 ** 30 };
  const shm = { folder: '/dev/shm', type: 'tmpfs', freeBytes: 2 ** 30 };
  it.each([
    ['is where the daemon has its own tmpfs', [run, shm], '/run/hull/aufs/aufs.xino'],
    ['goes elsewhere where that has no room', [{ ...run, freeBytes: 1024 }, shm], '/dev/shm/aufs.xino'],
    ['goes elsewhere where that is a disk', [{ ...run, type: 'ext4' }, shm], '/dev/shm/aufs.xino'],
    [
      'goes elsewhere where the path has a comma',
      [{ ...run, folder: '/run/a,b' }, shm],
      '/dev/shm/aufs.xino',
    ],
    ['is not kept where there is no place', [{ ...shm, type: undefined }], undefined],
  ])('%s', (_, places, expected) => {
    expect(chooseXino(places)).toBe(expected);
  });
});

it('a union is no branch', () => {
  expect(refusedBelowAufs('btrfs')).toMatch(/found btrfs, wanted ext4, xfs or tmpfs/);
  expect(refusedBelowAufs('ext4')).toBeUndefined();
});
