import { describe, expect, test } from 'vitest';
import { mountFields } from './mount-fields.ts';
import { parseMount } from './parse-mount.ts';

const parse = (mount: object) => parseMount(mountFields.parse(mount));
const bind = (BindOptions: object, more: object = {}) => ({
  Type: 'bind',
  Source: '/a',
  Target: '/b',
  BindOptions,
  ...more,
});
const volume = (VolumeOptions: object, more: object = {}) => ({
  Type: 'volume',
  Source: 'data',
  Target: '/b',
  VolumeOptions,
  ...more,
});
const tmpfs = (TmpfsOptions: object, more: object = {}) => ({
  Type: 'tmpfs',
  Target: '/t',
  TmpfsOptions,
  ...more,
});
const guarded = ['nosuid', 'noexec', 'nodev'];

describe('parseMount', () => {
  test.each([
    [
      bind({}),
      { type: 'bind', source: '/a', propagation: 'rprivate', makeSource: false, nonRecursive: false },
    ],
    [
      bind({ Propagation: 'rshared', NonRecursive: true, CreateMountpoint: true }),
      { propagation: 'rshared', nonRecursive: true, makeSource: true },
    ],
    [bind({ ReadOnlyNonRecursive: true }, { ReadOnly: true }), { readOnly: true, readOnlyBelow: 'never' }],
    [bind({ ReadOnlyForceRecursive: true }, { ReadOnly: true }), { readOnlyBelow: 'always' }],
    [{ ...bind({}), Consistency: 'cached', BindOptions: null }, { readOnlyBelow: 'if-possible' }],
    [volume({}), { type: 'volume', name: 'data', copy: true, subpath: '', options: {}, labels: {} }],
    [
      { Type: 'volume', Target: '/b' },
      { name: undefined, copy: true },
    ],
    [volume({ NoCopy: true, Labels: { a: '1' } }), { copy: false, labels: { a: '1' } }],
    [volume({ Subpath: 'x/y' }), { subpath: 'x/y', copy: false }],
    [
      volume({ DriverConfig: { Name: 'local', Options: { type: 'tmpfs', device: 'tmpfs' } } }),
      { driver: 'local', options: { type: 'tmpfs', device: 'tmpfs' } },
    ],
    [tmpfs({}), { type: 'tmpfs', destination: '/t', options: guarded }],
    [tmpfs({ SizeBytes: 4096, Mode: 0o1770 }), { options: [...guarded, 'size=4096', 'mode=1770'] }],
    [tmpfs({ Options: [['exec'], ['uid', '7']] }), { options: ['nosuid', 'nodev', 'exec', 'uid=7'] }],
  ])('%j', (mount, wanted) => {
    expect(parse(mount)).toMatchObject(wanted);
  });

  test.each([
    [
      bind({}, { Target: '' }),
      /^Cannot create a container: invalid mount config for type "bind": field Target must not be empty$/,
    ],
    [bind({}, { Target: 'b' }), /invalid mount path: 'b' mount path must be absolute/],
    [bind({}, { Source: '' }), /field Source must not be empty/],
    [bind({}, { Source: 'a' }), /invalid mount path: 'a' mount path must be absolute/],
    [bind({ Propagation: 'sideways' }), /invalid propagation mode: sideways/],
    [bind({ ReadOnlyNonRecursive: true, ReadOnlyForceRecursive: true }, { ReadOnly: true }), /conflict/],
    [bind({ ReadOnlyForceRecursive: true }), /ReadOnlyForceRecursive needs ReadOnly/],
    [bind({}, { VolumeOptions: { NoCopy: true } }), /field VolumeOptions must not be specified/],
    [volume({}, { BindOptions: {} }), /invalid mount config for type "volume": field BindOptions must not/],
    [volume({}, { Source: '/a' }), /invalid characters/],
    [volume({ Subpath: '../x' }), /subpath must be a relative path within the volume/],
    [volume({ Subpath: '/x' }), /subpath must be a relative path within the volume/],
    [volume({ Subpath: 'x' }, { Source: '' }), /must not set Subpath when using anonymous volumes/],
    [volume({}, { Source: '', ReadOnly: true }), /must not set ReadOnly mode when using anonymous volumes/],
    [tmpfs({}, { Source: '/a' }), /field Source must not be specified/],
    [tmpfs({ SizeBytes: -1 }), /SizeBytes: found -1/],
    [tmpfs({ Mode: 0o10000 }), /Mode: found 4096/],
    [tmpfs({ Options: [['shiny']] }), /Invalid tmpfs option "shiny"/],
  ])('%j is refused', (mount, message) => {
    expect(() => parse(mount)).toThrow(
      expect.objectContaining({ kind: 'invalid', message: expect.stringMatching(message) }),
    );
  });
});
