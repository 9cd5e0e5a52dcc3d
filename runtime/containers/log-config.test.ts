import { describe, expect, test } from 'vitest';
import { checkLogConfig } from './log-config.ts';

const body = (LogConfig?: unknown) => ({ Image: 'busybox', HostConfig: { LogConfig } });

describe('where output goes', () => {
  test.each([
    [undefined],
    [null],
    [{ Type: '', Config: {} }],
    [{ Type: null, Config: null }],
    [{ Type: 'json-file' }],
    [{ Type: 'local', Config: {} }],
    [{ Type: 'hull' }],
  ])('%j is kept for docker logs', (LogConfig) => {
    expect(checkLogConfig(body(LogConfig))).toEqual([]);
  });

  test.each(['none', 'syslog', 'journald', 7])('%j is refused and named', (Type) => {
    expect(() => checkLogConfig(body({ Type }))).toThrow(
      expect.objectContaining({
        kind: 'unsupported',
        message: expect.stringContaining(`HostConfig.LogConfig.Type ${JSON.stringify(Type)}`),
      }),
    );
  });

  test('options are told to be of no use', () => {
    const Config = { 'max-size': '10m', 'max-file': '3' };
    expect(checkLogConfig(body({ Type: 'json-file', Config }))).toEqual([
      expect.stringContaining('max-size, max-file'),
    ]);
  });
});
