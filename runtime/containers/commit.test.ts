import { expect, test } from 'vitest';
import { goFileMode } from './archive.ts';
import { imageConfigOf } from './commit.ts';
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

test("the container's configuration as its image's", () => {
  expect(imageConfigOf(config)).toEqual({
    ...config,
    ExposedPorts: { '80/tcp': {} },
    Volumes: { '/data': {} },
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
