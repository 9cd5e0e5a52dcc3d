import { describe, expect, test } from 'vitest';
import { HullError } from '../../base/errors.ts';
import { parseCreateRequest } from '../create-request.ts';
import { mergeConfig } from '../merge-config.ts';
import { chooseMounts } from './choose-mounts.ts';
import type { MountPoint } from './mount-point.ts';
import { specMountOf } from './spec-mount.ts';

const other: readonly MountPoint[] = chosen({ Binds: ['/host:/bind:rslave', 'named:/named'] }, [
  '/anon',
]).points;

function chosen(HostConfig: object, imageVolumes: readonly string[] = [], Volumes: readonly string[] = []) {
  const asKeys = (paths: readonly string[]) => Object.fromEntries(paths.map((path) => [path, {}]));
  const request = parseCreateRequest({ Image: 'x', Cmd: ['x'], HostConfig, Volumes: asKeys(Volumes) });
  return chooseMounts(mergeConfig(request, { Volumes: asKeys(imageVolumes) }), {
    mountsOf: (name) => {
      if (name === 'other') return other;
      throw new HullError(`No such container: ${name}`, { kind: 'not-found' });
    },
    dataOf: (name) => `/volumes/${name}/_data`,
  });
}

const outline = ({ points }: ReturnType<typeof chosen>) =>
  points.map((point) => [point.destination, point.type === 'tmpfs' ? 'tmpfs' : point.source, point.readOnly]);

describe('chooseMounts', () => {
  test("an image's and the request's VOLUMEs are anonymous volumes, where nothing else is mounted", () => {
    const { points, volumes } = chosen(
      { Binds: ['own:/a'], Tmpfs: { '/b/': '' } },
      ['/a', '/b', '/c'],
      ['/d', '/c/'],
    );
    expect(points.map(({ destination }) => destination)).toEqual(['/a', '/c', '/d']);
    expect(volumes.map(({ name, labels }) => [name, labels])).toEqual([
      ['own', {}],
      [expect.stringMatching(/^[0-9a-f]{64}$/), { 'com.docker.volume.anonymous': '' }],
      [expect.stringMatching(/^[0-9a-f]{64}$/), { 'com.docker.volume.anonymous': '' }],
    ]);
    expect(points[1]).toMatchObject({ type: 'volume', anonymous: true, copy: true, mode: '' });
    expect(new Set(volumes.map(({ name }) => name)).size).toBe(3);
  });

  test.each([
    [
      { VolumesFrom: ['other'] },
      [
        ['/bind', '/host', false],
        ['/named', '/volumes/named/_data', false],
      ],
    ],
    [
      { VolumesFrom: ['other:ro'] },
      [
        ['/bind', '/host', true],
        ['/named', '/volumes/named/_data', true],
      ],
    ],
    [
      { VolumesFrom: ['other:z'], Binds: ['mine:/named'] },
      [
        ['/bind', '/host', false],
        ['/named', '/volumes/mine/_data', false],
      ],
    ],
  ])('%j', (host, wanted) => {
    const all = outline(chosen(host));
    expect(all.filter(([destination]) => destination !== '/anon')).toEqual(wanted);
    expect(all.some(([destination]) => destination === '/anon')).toBe(true);
  });

  test('inherited mounts keep their propagation, are not filled, and make no volumes', () => {
    const { points, volumes } = chosen({ VolumesFrom: ['other'] }, ['/anon']);
    expect(points[0]).toMatchObject({ type: 'bind', propagation: 'rslave', mode: '' });
    expect(points.find(({ destination }) => destination === '/anon')).toMatchObject({
      anonymous: true,
      copy: false,
    });
    expect(volumes).toEqual([]);
  });

  test('the first mount that names a volume says what it is made with', () => {
    const Mounts = ['1', '2'].map((label) => ({
      Type: 'volume',
      Source: 'both',
      Target: `/${label}`,
      VolumeOptions: { Labels: { label } },
    }));
    expect(chosen({ Mounts }).volumes).toEqual([
      { name: 'both', driver: '', labels: { label: '1' }, options: {} },
    ]);
  });

  test.each([
    [{ Binds: ['/a:/d', '/b:/d/'] }, 'invalid', /Duplicate mount point: \/d/],
    [
      { Binds: ['/a:/d'], Mounts: [{ Type: 'tmpfs', Target: '/x/../d' }] },
      'invalid',
      /Duplicate mount point: \/d/,
    ],
    [{ Binds: ['/a:/d'], Tmpfs: { '/d': '' } }, 'invalid', /Duplicate mount point: \/d/],
    [{ Tmpfs: { '/d': 'shiny' } }, 'invalid', /Invalid tmpfs option "shiny"/],
    [{ Tmpfs: { d: '' } }, 'invalid', /must be absolute/],
    [{ VolumesFrom: [''] }, 'invalid', /cannot be an empty string/],
    [{ VolumesFrom: ['other:rshared'] }, 'invalid', /invalid mode: rshared/],
    [{ VolumesFrom: ['other:nocopy'] }, 'invalid', /invalid mode: nocopy/],
    [{ VolumesFrom: ['other:ro:rw'] }, 'invalid', /invalid mode: ro:rw/],
    [{ VolumesFrom: ['nobody'] }, 'not-found', /No such container: nobody/],
  ])('%j is refused', (host, kind, message) => {
    expect(() => chosen(host)).toThrow(
      expect.objectContaining({ kind, message: expect.stringMatching(message) }),
    );
  });
});

test.each([
  [{ Binds: ['/a:/b'] }, true, ['rbind', 'rprivate']],
  [{ Binds: ['/a:/b:ro'] }, true, ['rbind', 'rprivate', 'rro']],
  [{ Binds: ['/a:/b:ro,shared'] }, false, ['rbind', 'shared', 'ro']],
  [{ Binds: ['vol:/b:ro'] }, true, ['rbind', 'rprivate', 'rro']],
  [
    {
      Mounts: [
        {
          Type: 'bind',
          Source: '/a',
          Target: '/b',
          ReadOnly: true,
          BindOptions: { ReadOnlyNonRecursive: true },
        },
      ],
    },
    true,
    ['rbind', 'rprivate', 'ro'],
  ],
  [
    {
      Mounts: [
        { Type: 'bind', Source: '/a', Target: '/b', ReadOnly: true, BindOptions: { NonRecursive: true } },
      ],
    },
    true,
    ['bind', 'rprivate', 'ro'],
  ],
  [{ Mounts: [{ Type: 'tmpfs', Target: '/b', ReadOnly: true }] }, true, ['nosuid', 'noexec', 'nodev', 'ro']],
])('%j is mounted with, where the kernel can make a tree read-only: %s', (host, readsOnlyBelow, options) => {
  const [point] = chosen(host).points;
  expect(point && specMountOf(point, { readsOnlyBelow }).options).toEqual(options);
});
