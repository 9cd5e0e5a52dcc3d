import { describe, expect, test } from 'vitest';
import { sliceOf, slicePath, unitPath } from './unit-path.ts';

const defaults = { slice: 'system.slice', prefix: 'hull', name: 'web' };

describe('unitPath', () => {
  test.each([
    [undefined, 'system.slice/hull-web.scope'],
    ['', 'system.slice/hull-web.scope'],
    ['machine.slice:libpod:1a', 'machine.slice/libpod-1a.scope'],
    ['machine-a-b.slice:libpod:1a', 'machine.slice/machine-a.slice/machine-a-b.slice/libpod-1a.scope'],
    [':libpod:1a', 'system.slice/libpod-1a.scope'],
    ['machine.slice::1a', 'machine.slice/1a.scope'],
    ['machine.slice:libpod:', 'machine.slice/libpod-web.scope'],
    ['-.slice:libpod:1a', 'libpod-1a.scope'],
    ['kube.slice:x:kube-pod1.slice', 'kube.slice/kube-pod1.slice'],
  ])('%s is %s', (cgroupsPath, path) => {
    expect(unitPath(cgroupsPath, defaults)).toBe(path);
  });

  test.each([
    ['/some/folder', 'expected cgroupsPath to be of format "slice:prefix:name"'],
    ['a.slice:b', 'expected cgroupsPath'],
    ['a.slice:b:c:d', 'expected cgroupsPath'],
    ['machine:libpod:1a', 'as a systemd slice: wanted a name'],
    ['a--b.slice:libpod:1a', 'as a systemd slice'],
    ['../a.slice:libpod:1a', 'as a systemd slice'],
    ['a.slice:lib/pod:1a', 'as a systemd unit'],
    ['a.slice:libpod:a+b', '"libpod-a+b.scope" as a systemd unit'],
    [`a.slice:libpod:${'x'.repeat(250)}`, 'at most 255'],
  ])('refuses %s', (cgroupsPath, message) => {
    expect(() => unitPath(cgroupsPath, defaults)).toThrow(message);
  });
});

test('a path says its slice', () => {
  expect(sliceOf('machine.slice/machine-a.slice/x.scope')).toBe('machine-a.slice');
  expect(sliceOf('x.scope')).toBe('-.slice');
  expect(sliceOf('user.slice/user-1.slice/user@1.service/x.scope')).toBe('-.slice');
  expect(slicePath('-.slice')).toBe('');
});
