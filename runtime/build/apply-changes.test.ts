import { describe, expect, it } from 'vitest';
import { applyChanges } from './apply-changes.ts';

const config = {
  User: 'sailor',
  Env: ['A=1', 'B=2'],
  Cmd: ['serve'],
  Entrypoint: ['/bin/tool'],
  Labels: { one: '1' },
  ExposedPorts: { '80/tcp': {} },
};

describe('--change', () => {
  it.each<[readonly string[], object]>([
    [[], {}],
    [['ENV B=3 C=$A'], { Env: ['A=1', 'B=3', 'C=1'] }],
    [['ENV D e f'], { Env: ['A=1', 'B=2', 'D=e f'] }],
    [['LABEL two="a b"'], { Labels: { one: '1', two: 'a b' } }],
    [['EXPOSE 81/udp'], { ExposedPorts: { '80/tcp': {}, '81/udp': {} } }],
    [['CMD ["a", "b"]'], { Cmd: ['a', 'b'] }],
    [['CMD a b'], { Cmd: ['/bin/sh', '-c', 'a b'] }],
    [['ENTRYPOINT ["/x"]'], { Entrypoint: ['/x'], Cmd: null }],
    [['CMD ["y"]', 'ENTRYPOINT ["/x"]'], { Entrypoint: ['/x'], Cmd: ['y'] }],
    [['workdir /a', 'WORKDIR b'], { WorkingDir: '/a/b' }],
    [['USER 1:2'], { User: '1:2' }],
    [['VOLUME /a /b'], { Volumes: { '/a': {}, '/b': {} } }],
    [['STOPSIGNAL SIGINT'], { StopSignal: 'SIGINT' }],
    [['ONBUILD RUN a'], { OnBuild: ['RUN a'] }],
    [['HEALTHCHECK NONE'], { Healthcheck: { Test: ['NONE'] } }],
  ])('%j', async (instructions, changed) => {
    expect(await applyChanges(config, instructions)).toEqual({ ...config, ...changed });
  });

  it.each<[readonly string[], string]>([
    [['CMD a', 'RUN b'], 'dockerfile parse error on line 2: RUN is not a valid change command'],
    [['FROM a'], 'FROM is not a valid change command'],
    [['FOO a'], 'unknown instruction: FOO'],
    [['ENV a'], 'ENV must have two arguments'],
    [['STOPSIGNAL SIGSEA'], 'SIGSEA'],
    [['ENV A="'], 'double-quote'],
  ])('%j is refused', async (instructions, message) => {
    await expect(applyChanges(config, instructions)).rejects.toThrow(message);
  });
});
