import { describe, expect, test } from 'vitest';
import { goFileMode } from './archive.ts';
import { changedConfig } from './commit.ts';
import type { ContainerConfig } from './record.ts';

const config = {
  User: 'sailor',
  Env: ['A=1', 'B=2'],
  Cmd: ['serve'],
  Entrypoint: ['/bin/tool'],
  WorkingDir: '/srv',
  Labels: { one: '1', two: '2' },
  StopSignal: '',
  ExposedPorts: ['80/tcp'],
  Volumes: ['/data'],
} as unknown as ContainerConfig;

describe('changedConfig', () => {
  test("is the container's where nothing is changed", () => {
    expect(changedConfig(config, {})).toEqual({
      ...config,
      ExposedPorts: { '80/tcp': {} },
      Volumes: { '/data': {} },
    });
  });

  test('adds variables, labels and ports, and replaces the rest', () => {
    const changes = { Env: ['B=3', 'C=4'], Labels: { two: '3' }, ExposedPorts: { '81/udp': {} }, User: '0' };
    expect(changedConfig(config, changes)).toMatchObject({
      Env: ['A=1', 'B=3', 'C=4'],
      Labels: { one: '1', two: '3' },
      ExposedPorts: { '80/tcp': {}, '81/udp': {} },
      User: '0',
      Cmd: ['serve'],
    });
  });

  test('a new entrypoint drops the command, unless that is new as well', () => {
    expect(changedConfig(config, { Entrypoint: ['/x'] })).toMatchObject({ Entrypoint: ['/x'], Cmd: null });
    expect(changedConfig(config, { Entrypoint: ['/x'], Cmd: ['y'] })).toMatchObject({ Cmd: ['y'] });
  });
});

test.each([
  [0o100644, 0o644],
  [0o040755, 2147484141],
  [0o120777, 134218239],
  [0o104755, 8389101],
  [0o041777, 2148532735],
  [0o020666, 69206454],
])('goFileMode of %o', (mode, wanted) => {
  expect(goFileMode(mode)).toBe(wanted);
});
