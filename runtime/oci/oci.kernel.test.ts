import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import type { Hook, HookName } from '../base/oci.ts';
import type { OciFixture } from './oci-fixture.ts';
import { describeOci } from './oci-suite.ts';

describeOci('hull oci', (fixture) => {
  let f: OciFixture;
  beforeEach(() => {
    f = fixture();
  });

  it('runs a command with its streams and exit status', async () => {
    await f.configure(['sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(await f.oci('run', f.id())).toEqual({ code: 7, stdout: 'out\n', stderr: 'err\n' });
  });

  it('leaves the process the groups of the caller where an annotation says so', async () => {
    const groups = async () => {
      const words = f.words('run', f.id());
      const { stdout } = await f.command('setpriv', '--groups', '11,12', ...words);
      return /^Groups:\t(.*?) *$/m.exec(stdout)?.[1];
    };
    await f.configure(['cat', '/proc/self/status']);
    expect(await groups()).toBe('');
    const annotations = { 'run.oci.keep_original_groups': '1' };
    await f.configure(['cat', '/proc/self/status'], { spec: { annotations } });
    expect(await groups()).toBe('11 12');
  });

  it('tells a signal as 128 and its number', async () => {
    await f.configure(['sh', '-c', 'sleep 100 & kill -9 $!; wait $!; exit $?']);
    expect(await f.oci('run', f.id())).toMatchObject({ code: 137 });
  });

  it('goes through created, running, paused, stopped', async () => {
    const id = f.id();
    await f.configure(['sleep', '100']);
    const pidFile = join(f.dir, 'pid');
    await f.command(
      'sh',
      '-c',
      `"$0" "$@" </dev/null >/dev/null 2>&1`,
      ...f.words('create', '--pid-file', pidFile, id),
    );
    expect(await f.status(id)).toBe('created');
    const { stdout } = await f.oci('state', id);
    expect(JSON.parse(stdout)).toMatchObject({
      id,
      bundle: f.dir,
      pid: Number(readFileSync(pidFile, 'utf8')),
    });
    expect(await f.oci('create', id)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('already exists'),
    });
    expect(await f.oci('start', id)).toMatchObject({ code: 0, stderr: '' });
    expect(await f.status(id)).toBe('running');
    expect(await f.oci('start', id)).toMatchObject({ code: 1 });
    expect(await f.oci('delete', id)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not stopped'),
    });
    expect(await f.oci('pause', id)).toMatchObject({ code: 0 });
    expect(await f.status(id)).toBe('paused');
    expect(await f.oci('exec', id, 'true')).toMatchObject({ code: 255 });
    expect(await f.oci('resume', id)).toMatchObject({ code: 0 });
    expect((await f.oci('list', '-q')).stdout).toBe(`${id}\n`);
    expect(await f.oci('kill', id, 'KILL')).toMatchObject({ code: 0 });
    await expect.poll(() => f.status(id), { timeout: 20_000 }).toBe('stopped');
    expect(await f.oci('kill', id)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not running'),
    });
    expect(await f.oci('delete', id)).toMatchObject({ code: 0, stderr: '' });
    expect(await f.oci('state', id)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('does not exist'),
    });
    expect(await f.oci('delete', '--force', id)).toMatchObject({ code: 0 });
  });

  it('executes in it as another user, with environment, folder and exit status', async () => {
    const id = f.id();
    await f.configure(['sleep', '100']);
    await f.command('sh', '-c', `"$0" "$@" </dev/null >/dev/null 2>&1`, ...f.words('run', '--detach', id));
    const done = await f.oci(
      'exec',
      '--user',
      '5:6',
      '--env',
      'A=b',
      '--cwd',
      '/bin',
      id,
      'sh',
      '-c',
      'id; echo $A; pwd; exit 9',
    );
    expect(done).toEqual({ code: 9, stdout: 'uid=5 gid=6\nb\n/bin\n', stderr: '' });
    expect(await f.oci('exec', id, 'nope')).toMatchObject({
      code: 255,
      stderr: expect.stringContaining('executable file not found in $PATH'),
    });
    expect(JSON.parse((await f.oci('ps', '-f', 'json', id)).stdout)).toHaveLength(1);
    expect(await f.oci('delete', '-f', id)).toMatchObject({ code: 0 });
  });

  it.each([
    ['process.args', { process: { args: [] } }],
    ['process.cwd', { process: { cwd: 'bin' } }],
    ['linux.namespaces[0].type', { linux: { namespaces: [{ type: 'net' }] } }],
    ['root.path', { spec: { root: { path: 'nowhere' } } }],
    ['ociVersion', { spec: { ociVersion: '2.0.0' } }],
    ['hooks.prestart[0].path', { hooks: { prestart: [{ path: 'relative' }] } }],
  ])('refuses a wrong %s by its name', async (field, more) => {
    await f.configure(['true'], more as never);
    const refused = await f.oci('run', f.id());
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(field);
  });

  it('leaves nothing of a create that fails: a missing command, a missing mount source', async () => {
    await f.configure(['nope']);
    expect(await f.oci('create', f.id())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not found in $PATH'),
    });
    await f.configure(['true'], {
      spec: { mounts: [{ destination: '/x', type: 'bind', source: '/nowhere', options: ['bind'] }] },
    });
    expect(await f.oci('create', f.id())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('ENOENT'),
    });
  });

  const kinds: readonly HookName[] = [
    'prestart',
    'createRuntime',
    'createContainer',
    'startContainer',
    'poststart',
    'poststop',
  ];
  const tell = (kind: HookName): readonly Hook[] => {
    const place = kind === 'startContainer' ? '/hooks' : `${f.dir}/rootfs/hooks`;
    return [
      {
        path: '/bin/sh',
        args: ['sh', '-c', `(echo -n "${kind} "; cat; echo) >> ${place}`],
        env: ['PATH=/bin:/usr/bin'],
      },
    ];
  };

  it('runs the six kinds of hooks in their order, with the state', async () => {
    const id = f.id();
    await f.configure(['true'], { hooks: Object.fromEntries(kinds.map((kind) => [kind, tell(kind)])) });
    expect(await f.oci('run', id)).toMatchObject({ code: 0, stderr: '' });
    const lines = (await readFile(join(f.dir, 'rootfs/hooks'), 'utf8')).trim().split('\n');
    expect(lines.map((line) => line.split(' ', 1)[0])).toEqual(kinds);
    const states = lines.map(
      (line) => JSON.parse(line.slice(line.indexOf(' '))) as { id: string; status: string; pid: number },
    );
    expect(states.map(({ status }) => status)).toEqual([
      'creating',
      'creating',
      'creating',
      'created',
      'running',
      'stopped',
    ]);
    expect(new Set(states.slice(0, 5).map(({ pid }) => pid)).size).toBe(1);
    expect(states.every((state) => state.id === id)).toBe(true);
  });

  it.each(['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart'] as const)(
    'a failing %s hook ends the container',
    async (kind) => {
      await f.configure(['sleep', '100'], {
        hooks: { [kind]: [{ path: kind === 'startContainer' ? '/bin/nope' : '/bin/false' }] },
      });
      const failed = await f.oci('run', f.id());
      expect(failed).toMatchObject({ code: 1 });
      expect(failed.stderr).toContain(`error running ${kind} hook #0`);
    },
  );

  it('ends a hook that takes too long', async () => {
    for (const kind of ['prestart', 'createContainer'] as const) {
      await f.configure(['true'], {
        hooks: { [kind]: [{ path: '/bin/sleep', args: ['sleep', '100'], timeout: 1 }] },
      });
      expect(await f.oci('run', f.id())).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`${kind} hook #0`),
      });
    }
  });

  it('hands on preserved descriptors, and none of its own', async () => {
    await f.configure(['sh', '-c', 'cat <&3; ls /proc/self/fd | cat']);
    const file = join(f.dir, 'given');
    writeFileSync(file, 'given\n');
    const fd = openSync(file, 'r');
    const [program = '', ...args] = f.words('run', '--preserve-fds', '1', f.id());
    const { stdout } = spawnSync(program, args, {
      cwd: f.dir,
      stdio: ['ignore', 'pipe', 'inherit', fd],
      encoding: 'utf8',
    });
    closeSync(fd);
    // 4 is the folder that ls reads.
    expect(stdout).toBe('given\n0\n1\n2\n3\n4\n');
  });

  it('sends the master of its terminal to the console socket', async () => {
    const id = f.id();
    await f.configure(['sh', '-c', 'tty; stty size; sleep 100'], {
      process: { terminal: true, consoleSize: { height: 30, width: 90 } },
    });
    expect(await f.oci('create', id)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('console socket'),
    });
    const script = `import array, os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX); s.bind('console.sock'); s.listen(1)
run = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL)
assert run.returncode == 0
c, _ = s.accept()
data, anc, _, _ = c.recvmsg(64, socket.CMSG_SPACE(4))
fd = array.array('i', anc[0][2])[0]
text = b''
while text.count(b'\\n') < 2: text += os.read(fd, 100)
sys.stdout.write(text.decode())`;
    const seen = await f.command(
      'python3',
      '-c',
      script,
      ...f.words('run', '--detach', '--console-socket', 'console.sock', id),
    );
    expect(seen).toMatchObject({ code: 0, stdout: '/dev/pts/0\r\n30 90\r\n' });
    expect(await f.oci('delete', '-f', id)).toMatchObject({ code: 0 });
  });

  it('knows its verbs and its specification', async () => {
    expect(await f.oci('nope')).toMatchObject({ code: 1 });
    expect((await f.oci('--version')).stdout).toContain('spec: 1.2');
  });
});
