import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OciFixture, whyNoOci } from './oci-fixture.ts';
import { Podman, whyNoPodman } from './podman-fixture.ts';

describe.each([
  ['as root', false],
  ['without privileges', true],
])('podman with hull as its runtime, %s', (_, asUser) => {
  const not = whyNoOci ?? whyNoPodman({ asUser });
  const title = (text: string) => `${text}${not === undefined ? '' : ` (skipped: ${not})`}`;
  let bundle: OciFixture;
  let podman: Podman;
  let unable: string | undefined;
  beforeAll(async () => {
    if (not !== undefined) return;
    bundle = await OciFixture.create('stand-alone');
    podman = new Podman(bundle, { asUser });
    // Without any runtime: what podman itself needs of this machine, user namespaces and newuidmap's rights.
    const able = await podman.call(...(asUser ? ['unshare', 'true'] : ['info']));
    if (able.code !== 0) unable = able.stderr.trim().split('\n').at(-1);
    if (unable !== undefined) return;
    const { code, stderr } = await podman.call('import', podman.image, 'hull-test');
    expect(code, stderr).toBe(0);
  });
  beforeEach((context) => {
    if (unable !== undefined) context.skip(`podman itself cannot work here: ${unable}`);
  });
  afterAll(async () => {
    await podman?.[Symbol.asyncDispose]();
    await bundle?.[Symbol.asyncDispose]();
  });
  const run = (...words: readonly string[]) =>
    podman.call(
      'run',
      '--network',
      'none',
      ...words.slice(0, -1),
      'hull-test',
      'sh',
      '-c',
      words.at(-1) ?? '',
    );

  it.skipIf(not)(title('runs, executes in, stops, starts and removes a container'), async () => {
    expect(await run('-d', '--name', 'a', 'echo hello; exec sleep 1000')).toMatchObject({
      code: 0,
      stderr: '',
    });
    const script = 'id; echo $A; readlink /proc/self/cwd; echo > /dev/null';
    expect(
      await podman.call('exec', '-u', '7:8', '-e', 'A=b', '-w', '/bin', 'a', 'sh', '-c', script),
    ).toEqual({
      code: 0,
      stdout: 'uid=7 gid=8\nb\n/bin\n',
      stderr: '',
    });
    expect(await podman.call('logs', 'a')).toMatchObject({ stdout: 'hello\n' });
    for (const verb of [['stop', '-t', '0'], ['start'], ['kill', '--signal', 'KILL']])
      expect(await podman.call(...verb, 'a')).toMatchObject({ code: 0, stderr: '' });
    expect(await podman.call('wait', 'a')).toMatchObject({ code: 0, stdout: '137\n' });
    expect(await podman.call('rm', 'a')).toMatchObject({ code: 0, stderr: '' });
    expect(await podman.call('ps', '-a', '-q')).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it.skipIf(not)(title('terminals: of a run, and of an exec'), async () => {
    const words = podman.words(
      'run',
      '--rm',
      '-it',
      '--network',
      'host',
      'hull-test',
      'sh',
      '-c',
      'tty; exit 3',
    );
    // The end of script's own input may show as a typed NUL.
    const typed = await podman.command(
      'script',
      '-qefc',
      words.map((word) => `'${word}'`).join(' '),
      '/dev/null',
    );
    expect({ code: typed.code, text: typed.stdout.replaceAll(/\^@|[\0\r]/g, '') }).toEqual({
      code: 3,
      text: '/dev/pts/0\n',
    });
  });

  it.skipIf(not)(title('users, limits, sysctls, a tmpfs, a read-only root'), async () => {
    const options = [
      '--user',
      '33:44',
      '--read-only',
      '--tmpfs',
      '/t:size=1m',
      '--ulimit',
      'nproc=200:200',
      '--ulimit',
      'nofile=200:300',
      '--sysctl',
      'net.ipv4.ip_forward=1',
    ];
    const script = 'id; echo > /x; echo > /t/x && ulimit -n; cat /proc/sys/net/ipv4/ip_forward';
    expect(await run('--rm', ...options, script)).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^uid=33\b.* gid=44\b.*\n200\n1\n$/),
      stderr: expect.stringMatching(/^sh: can't create \/x: Read-only file system\n$/),
    });
  });

  it.skipIf(not)(title('a command that is not there'), async () => {
    expect(await podman.call('run', '--rm', '--network', 'none', 'hull-test', '/none')).toMatchObject({
      code: 127,
      stderr: expect.stringContaining('"/none"'),
    });
  });
});
