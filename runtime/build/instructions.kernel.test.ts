// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what a Dockerfile says, not JavaScript
import { expect, it } from 'vitest';
import { testImage } from '../daemon/daemon-fixture.ts';
import { describeBuilds } from './build-suite.ts';

describeBuilds('instructions', (builds) => {
  it('says what Docker says, and tags the image', async () => {
    const { text, id, status } = await builds.send('FROM @base\nENV a=b\nRUN echo $a\nCMD ["x"]', {
      query: { t: 'built:1' },
    });
    expect(status).toBe(200);
    expect(text.replaceAll(/\b[0-9a-f]{12}\b/g, 'ID').replace(/ ---> \[Warning\].*\n/, '')).toBe(
      [
        `Step 1/4 : FROM ${testImage}`,
        ' ---> ID',
        'Step 2/4 : ENV a=b',
        ' ---> ID',
        'Step 3/4 : RUN echo $a',
        ' ---> Running in ID',
        'b',
        'Removing intermediate container ID',
        ' ---> ID',
        'Step 4/4 : CMD ["x"]',
        ' ---> ID',
        'Successfully built ID',
        'Successfully tagged built:1',
        '',
      ].join('\n'),
    );
    expect(await builds.inspect('built:1')).toMatchObject({
      Id: id,
      Config: { Cmd: ['x'], Env: expect.arrayContaining(['a=b']) },
    });
  });

  // What Docker 20.10's classic builder makes of the same instructions.
  it.each<[string, object, string]>([
    [
      'ENV a=b c="d e"',
      { Env: expect.arrayContaining(['a=b', 'c=d e']) },
      '/bin/sh -c #(nop)  ENV a=b c=d e',
    ],
    ['LABEL a="b c" d=e', { Labels: { a: 'b c', d: 'e' } }, '/bin/sh -c #(nop)  LABEL a=b c d=e'],
    ['WORKDIR /w/v', { WorkingDir: '/w/v' }, '/bin/sh -c #(nop) WORKDIR /w/v'],
    ['USER sailor', { User: 'sailor' }, '/bin/sh -c #(nop)  USER sailor'],
    [
      'EXPOSE 80 53/udp',
      { ExposedPorts: { '80/tcp': {}, '53/udp': {} } },
      '/bin/sh -c #(nop)  EXPOSE 53/udp 80',
    ],
    ['VOLUME /a /b', { Volumes: { '/a': {}, '/b': {} } }, '/bin/sh -c #(nop)  VOLUME [/a /b]'],
    ['CMD a "b"', { Cmd: ['/bin/sh', '-c', 'a "b"'] }, '/bin/sh -c #(nop)  CMD ["/bin/sh" "-c" "a \\"b\\""]'],
    ['CMD', { Cmd: ['/bin/sh', '-c'] }, '/bin/sh -c #(nop)  CMD ["/bin/sh" "-c"]'],
    [
      'ENTRYPOINT ["a", "b"]',
      { Entrypoint: ['a', 'b'], Cmd: null },
      '/bin/sh -c #(nop)  ENTRYPOINT ["a" "b"]',
    ],
    [
      'SHELL ["/bin/sh", "-e", "-c"]',
      { Shell: ['/bin/sh', '-e', '-c'] },
      '/bin/sh -e -c #(nop)  SHELL [/bin/sh -e -c]',
    ],
    ['STOPSIGNAL SIGINT', { StopSignal: 'SIGINT' }, '/bin/sh -c #(nop)  STOPSIGNAL SIGINT'],
    ['ONBUILD RUN a', { OnBuild: ['RUN a'] }, '/bin/sh -c #(nop)  ONBUILD RUN a'],
    ['ARG x=1', {}, '/bin/sh -c #(nop)  ARG x=1'],
    ['MAINTAINER me', {}, '/bin/sh -c #(nop)  MAINTAINER me'],
    [
      'HEALTHCHECK --interval=30s --retries=3 CMD true',
      { Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 30e9, Retries: 3 } },
      '/bin/sh -c #(nop)  HEALTHCHECK &{["CMD-SHELL" "true"] "30s" "0s" "0s" \'\\x03\'}',
    ],
    ['ARG x=1\nRUN true', {}, '|1 x=1 /bin/sh -c true'],
  ])('%s', async (instruction, config, history) => {
    const { id, error } = await builds.send(`FROM @base\n${instruction}`);
    expect(error).toBe('');
    const image = await builds.inspect(id);
    expect(image.Config).toMatchObject(config);
    const [newest] = await builds.daemon.docker.getImage(id).history();
    expect(newest?.CreatedBy).toBe(history);
  });

  it('limits RUN, which has no network', async () => {
    const output = await builds.printed('FROM @base\nRUN busybox ls /sys/class/net; ulimit -n', {
      query: {
        memory: String(64 * 2 ** 20),
        ulimits: '[{"Name":"nofile","Soft":99,"Hard":99}]',
        networkmode: 'none',
      },
    });
    expect(output).toBe('lo\n99\n');
  });

  it.each<[string, Readonly<Record<string, string>>, number, string]>([
    ['FOO', {}, 400, 'dockerfile parse error on line 1: unknown instruction: FOO'],
    ['FROM @base', { dockerfile: 'other' }, 400, 'Cannot locate specified Dockerfile: other'],
    ['FROM @base', { dockerfile: '../../../../etc/passwd' }, 400, 'Cannot locate specified Dockerfile'],
    ['FROM @base', { target: 'none' }, 400, 'failed to reach build target none in Dockerfile'],
    ['FROM @base', { t: 'UPPER' }, 400, 'UPPER'],
    ['FROM @base', { platform: 'linux/s390x' }, 501, 'Cannot build for platform linux/s390x'],
    ['FROM @base', { squash: '1' }, 501, 'squash=1 is not supported'],
    ['FROM @base', { version: '2' }, 501, 'BuildKit'],
    ['FROM @base', { remote: 'http://x/' }, 501, 'remote=http://x/'],
    ['FROM @base', { buildargs: '[1]' }, 400, 'buildargs'],
    ['FROM @base', { memory: 'much' }, 400, 'memory: found "much"'],
    [' ', {}, 400, 'the Dockerfile (Dockerfile) cannot be empty'],
  ])('%j with %j is refused with %i: %s', async (dockerfile, query, status, message) => {
    expect(await builds.send(dockerfile, { query })).toMatchObject({
      status,
      error: expect.stringContaining(message),
    });
  });
});
