import { describe, expect, test } from 'vitest';
import { parseCreateRequest } from './create-request.ts';
import { mergeConfig } from './merge-config.ts';

/** As the command-line client sends it: every field there is, empty. */
const fromClient = {
  Hostname: '',
  Env: null,
  Cmd: ['true'],
  Image: 'busybox',
  Volumes: {},
  Entrypoint: null,
  OnBuild: null,
  Labels: {},
  HostConfig: {
    Binds: null,
    ContainerIDFile: '',
    LogConfig: { Type: '', Config: {} },
    NetworkMode: 'default',
    PortBindings: {},
    RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    VolumesFrom: null,
    ConsoleSize: [0, 0],
    BlkioDeviceReadBps: [],
    MemorySwappiness: -1,
    PidsLimit: 0,
    Devices: [],
    MaskedPaths: null,
  },
  NetworkingConfig: { EndpointsConfig: { default: {} } },
};

describe('parseCreateRequest', () => {
  test("takes the command-line client's request as it is", () => {
    expect(parseCreateRequest(fromClient)).toMatchObject({ Image: 'busybox', Env: [], StopSignal: '' });
  });

  test.each([
    [
      { HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '80' }] } } },
      'unsupported',
      'HostConfig.PortBindings',
    ],
    [{ HostConfig: { Mounts: [{ Type: 'npipe', Target: '/x' }] } }, 'invalid', 'HostConfig.Mounts.0.Type'],
    [
      { HostConfig: { Mounts: [{ Type: 'bind', Target: '/x', BindOptions: { Wings: true } }] } },
      'invalid',
      'HostConfig.Mounts.0.BindOptions: Unrecognized key: "Wings"',
    ],
    [{ HostConfig: { Init: true } }, 'unsupported', 'HostConfig.Init'],
    [{ Healthcheck: { Test: ['CMD', 'true'] } }, 'unsupported', 'Healthcheck'],
    [{ HostConfig: { Memory: 'much' } }, 'invalid', 'HostConfig.Memory'],
    [{ HostConfig: { RestartPolicy: { Name: 'maybe' } } }, 'invalid', 'HostConfig.RestartPolicy.Name'],
    [{ Image: '' }, 'invalid', 'Image'],
    [{ Cmd: ['sh', '-c', 'a\0b'] }, 'invalid', 'Cmd.2: found "a\\u0000b"'],
    [{ HostConfig: { Binds: ['/a\0:/b'] } }, 'invalid', 'HostConfig.Binds.0'],
    [{ Volumes: { '/a\0': {} } }, 'invalid', 'Volumes: found'],
    [{ Env: 'A=b' }, 'invalid', 'Env'],
  ])('refuses %j by name', (more, kind, field) => {
    expect(() => parseCreateRequest({ ...fromClient, ...more })).toThrow(
      expect.objectContaining({ kind, message: expect.stringContaining(field) }),
    );
  });
});

describe('mergeConfig', () => {
  const image = {
    Entrypoint: ['/entry'],
    Cmd: ['default'],
    Env: ['A=image', 'B=image'],
    User: 'sailor',
    Labels: { from: 'image', both: 'image' },
    StopSignal: 'SIGUSR1',
  };
  const merged = (body: object) => mergeConfig(parseCreateRequest({ Image: 'x', ...body }), image);

  test.each([
    [{}, ['/entry', 'default']],
    [{ Cmd: ['own'] }, ['/entry', 'own']],
    [{ Entrypoint: ['/own'] }, ['/own']],
    [{ Entrypoint: ['/own'], Cmd: ['arg'] }, ['/own', 'arg']],
    [{ Entrypoint: [''], Cmd: ['only'] }, ['only']],
    [{ Cmd: 'one' }, ['/entry', 'one']],
  ])('%j runs %j', (body, command) => {
    const { Entrypoint = [], Cmd = [] } = merged(body);
    expect([...Entrypoint, ...Cmd]).toEqual(command);
  });

  test('environment and labels are merged by name, the rest is taken where it is not given', () => {
    const config = merged({ Env: ['B=own', 'C=own'], Labels: { both: 'own' }, User: 'root' });
    expect(config.Env).toEqual(['A=image', 'B=own', 'C=own']);
    expect(config.Labels).toEqual({ from: 'image', both: 'own' });
    expect(config).toMatchObject({ User: 'root', StopSignal: 'SIGUSR1' });
  });

  test('nothing to run is an error', () => {
    expect(() => mergeConfig(parseCreateRequest({ Image: 'x' }), {})).toThrow(/no command specified/);
  });
});
