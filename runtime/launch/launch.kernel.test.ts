import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { launch } from './launch.ts';
import { LaunchError } from './launch-error.ts';
import { readLogFrames } from './log-frames.ts';
import { closeStdin, openStdin } from './stdin.ts';
import { LaunchFixture, namespacesShowing, readProc, titleSuffix, whyNoLaunches } from './test-fixture.ts';
import type { LaunchRequest } from './types.ts';
import { watchExit } from './watch-exit.ts';

type Options = Parameters<LaunchFixture['request']>[1];

async function runToEnd(fixture: LaunchFixture, args: readonly string[], options?: Options) {
  await launch(fixture.request(args, options));
  const exit = await watchExit(fixture.runDir);
  return { exit, ...(await fixture.output()) };
}

async function failureOf(request: LaunchRequest): Promise<LaunchError> {
  const error = await launch(request).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(LaunchError);
  return error as LaunchError;
}

describe.skipIf(whyNoLaunches !== undefined)(`launch${titleSuffix}`, () => {
  it.each(['overlay', 'bind'] as const)(
    'runs a command on an %s root: output, exit code, nothing left',
    async (root) => {
      await using fixture = await LaunchFixture.create();
      const before = readProc('self', 'mountinfo');
      const { exit, stdout, stderr } = await runToEnd(
        fixture,
        ['sh', '-c', 'echo out; echo err >&2; exit 42'],
        { root },
      );
      expect(exit).toMatchObject({ exitCode: 42, droppedFrames: 0 });
      expect(exit).toMatchObject({
        bootId: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
      });
      expect({ stdout, stderr }).toEqual({ stdout: 'out\n', stderr: 'err\n' });
      expect(fixture.monitors()).toEqual([]);
      expect(namespacesShowing(fixture.dir)).toEqual([]);
      expect(readProc('self', 'mountinfo')).toBe(before);
    },
  );

  it('reports a signal as 128 and its number', async () => {
    await using fixture = await LaunchFixture.create();
    const { pid } = await launch(fixture.request(['sleep', '60']));
    process.kill(pid, 'SIGKILL');
    expect(await watchExit(fixture.runDir)).toMatchObject({ exitCode: 137, signal: 9 });
  });

  it('names the process: pid, start time, monitor', async () => {
    await using fixture = await LaunchFixture.create();
    const { pid, monitorPid, startTicks } = await launch(fixture.request(['sleep', '60']));
    expect(readProc(pid, 'stat').split(') ')[1]?.split(' ')[19]).toBe(startTicks);
    expect(readProc(pid, 'cmdline')).toBe('sleep\x0060\x00');
    expect(fixture.monitors()).toEqual([monitorPid]);
    process.kill(pid, 'SIGKILL');
    await watchExit(fixture.runDir);
  });

  it('leaves the host alone while it runs: no mount, no descriptor of ours inside', async () => {
    await using fixture = await LaunchFixture.create();
    const before = readProc('self', 'mountinfo');
    const { pid } = await launch(fixture.request(['sleep', '60']));
    expect(readProc('self', 'mountinfo')).toBe(before);
    expect(await readdir(`/proc/${pid}/fd`)).toEqual(['0', '1', '2']);
    const mounts = readProc(pid, 'mountinfo');
    expect(mounts.split('\n').filter((line) => line.includes(' - ext4 ') || line.includes('hull'))).toEqual(
      [],
    );
    expect(namespacesShowing(fixture.dir)).toHaveLength(0);
    process.kill(pid, 'SIGKILL');
    await watchExit(fixture.runDir);
  });

  it.each([
    ['nosuch', 127, 'ENOENT'],
    ['/bin/nosuch', 127, 'ENOENT'],
    ['/etc/plain', 126, 'EACCES'],
    ['plain', 126, 'EACCES'],
  ])('a command that cannot be run: %s is %i', async (command, exitCode, code) => {
    await using fixture = await LaunchFixture.create();
    await writeFile(join(fixture.dir, 'root/etc/plain'), 'no program');
    const request = fixture.request([command], { process: { env: ['PATH=/etc:/bin'] } });
    const error = await failureOf(request);
    expect(error).toMatchObject({ code, exitCode, step: { syscall: 'execve' } });
    expect(error.message).toMatch(new RegExp(`^Cannot run "${command}": ${code}, step \\d+ of \\d+$`));
    expect(fixture.monitors()).toEqual([]);
    expect(await readdir(fixture.runDir)).toEqual([]);
  });

  it('names the mount that failed', async () => {
    await using fixture = await LaunchFixture.create();
    const mounts = [{ destination: '/proc', type: 'proc', source: 'proc', options: ['nonsense=1'] }];
    const error = await failureOf(fixture.request(['true'], { spec: { mounts } }));
    expect(error.message).toMatch(/^Cannot mount "proc" at "\/proc": EINVAL, step \d+ of \d+$/);
    expect(namespacesShowing(fixture.dir)).toEqual([]);
  });

  it('refuses a root that is mounted already, and does not disturb its owner', async () => {
    await using fixture = await LaunchFixture.create();
    const { pid } = await launch(fixture.request(['sleep', '60']));
    const error = await failureOf(fixture.request(['true']));
    expect(error).toMatchObject({ code: 'EAGAIN', step: { syscall: 'flock' } });
    const exit = watchExit(fixture.runDir);
    process.kill(pid, 'SIGTERM');
    process.kill(pid, 'SIGKILL');
    expect(await exit).toMatchObject({ exitCode: 137 });
    const { exit: second } = await runToEnd(fixture, ['true']);
    expect(second).toMatchObject({ exitCode: 0 });
  });

  it('goes on framing output and records the exit when the daemon is killed', async () => {
    await using fixture = await LaunchFixture.create();
    const request = fixture.request(['sh', '-c', 'echo before; cat; echo after; exit 7'], {
      request: { openStdin: true },
    });
    const launcher = new URL('./launch.ts', import.meta.url).href;
    const code = `import { launch } from ${JSON.stringify(launcher)};
      console.log(JSON.stringify(await launch(${JSON.stringify(request)}))); setInterval(() => {}, 1000);`;
    const daemon = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [answer] = await once(daemon.stdout, 'data');
    const { pid } = JSON.parse(String(answer)) as { pid: number };
    daemon.kill('SIGKILL');
    await once(daemon, 'exit');
    expect(readProc(pid, 'stat')).not.toBe('');
    const exit = watchExit(fixture.runDir);
    const stdin = openStdin(fixture.runDir);
    stdin.end('from the next daemon\n');
    await once(stdin, 'close');
    await closeStdin(fixture.runDir);
    expect(await exit).toMatchObject({ exitCode: 7 });
    expect(await fixture.output()).toMatchObject({ stdout: 'before\nfrom the next daemon\nafter\n' });
  });

  it('a killed monitor is `lost`, and takes the container with it', async () => {
    await using fixture = await LaunchFixture.create();
    const { pid, monitorPid } = await launch(fixture.request(['sleep', '60']));
    const exit = watchExit(fixture.runDir);
    process.kill(monitorPid, 'SIGKILL');
    expect(await exit).toBe('lost');
    for (let tries = 0; readProc(pid, 'cmdline') !== '' && tries < 100; tries += 1) await sleep(10);
    expect(readProc(pid, 'cmdline')).toBe('');
  });

  it('an image cannot lead a mount out of its root', async () => {
    await using fixture = await LaunchFixture.create();
    await mkdir(join(fixture.dir, 'outside'));
    await symlink(join(fixture.dir, 'outside'), join(fixture.dir, 'root/data'));
    await symlink('../../../../../../../..', join(fixture.dir, 'root/up'));
    const mounts = ['/data/x', `/up${fixture.dir}/outside/y`].map((destination) => ({
      destination,
      type: 'tmpfs',
      source: 'tmpfs',
    }));
    await launch(fixture.request(['true'], { spec: { mounts } })).then(
      () => watchExit(fixture.runDir),
      (error) => expect(error).toBeInstanceOf(LaunchError),
    );
    expect(await readdir(join(fixture.dir, 'outside'))).toEqual([]);
  });

  it('becomes the user with the capabilities, limits and groups of the spec', async () => {
    await using fixture = await LaunchFixture.create();
    const capabilities = {
      bounding: ['CAP_CHOWN', 'CAP_NET_BIND_SERVICE'],
      permitted: ['CAP_NET_BIND_SERVICE'],
      effective: ['CAP_NET_BIND_SERVICE'],
      inheritable: ['CAP_NET_BIND_SERVICE'],
      ambient: ['CAP_NET_BIND_SERVICE'],
    };
    const script =
      'cat /proc/self/status /proc/self/limits; cat /proc/self/oom_score_adj; umask; echo x > /dev/stderr; pwd';
    const { stdout, stderr, exit } = await runToEnd(fixture, ['sh', '-c', script], {
      process: {
        capabilities,
        user: { uid: 1000, gid: 1001, additionalGids: [4, 24], umask: 0o077 },
        rlimits: [{ type: 'RLIMIT_NPROC', soft: 50, hard: 60 }],
        noNewPrivileges: true,
        oomScoreAdj: 300,
        cwd: '/made/for/me',
      },
    });
    expect(exit).toMatchObject({ exitCode: 0 });
    expect(stdout).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
    expect(stdout).toMatch(/^Gid:\t1001\t1001\t1001\t1001$/m);
    expect(stdout).toMatch(/^Groups:\t4 24 $/m);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
      expect(stdout).toContain(`${set}:\t0000000000000400\n`);
    expect(stdout).toContain('CapBnd:\t0000000000000401\n');
    for (const set of ['SigBlk', 'SigIgn']) expect(stdout).toContain(`${set}:\t0000000000000000\n`);
    expect(stdout).toContain('NoNewPrivs:\t1\n');
    expect(stdout).toMatch(/Max processes +50 +60 /);
    expect(stdout).toMatch(/Max open files +1024 /);
    expect(stdout).toContain('\n300\n0077\n/made/for/me\n');
    expect(stderr).toBe('x\n');
  });

  it('has namespaces of its own, loopback up, sysctls set, paths masked and read-only', async () => {
    await using fixture = await LaunchFixture.create();
    const script =
      'echo pid $$; hostname; ip -o addr show lo; cat /proc/sys/net/ipv4/ip_forward; ' +
      'cat /proc/kcore | head -c 1; ls /sys/firmware; echo 1 > /proc/sys/net/ipv4/ip_forward; touch /x; ls /dev';
    const { stdout, stderr } = await runToEnd(fixture, ['sh', '-c', script], {
      spec: { root: { path: '/', readonly: true } },
      linux: {
        sysctl: { 'net.ipv4.ip_forward': '1' },
        maskedPaths: ['/proc/kcore', '/sys/firmware', '/proc/nothing'],
        readonlyPaths: ['/proc/sys', '/proc/nothing'],
        devices: [{ type: 'c', path: '/dev/own/zero', major: 1, minor: 5, fileMode: 0o600, uid: 3, gid: 4 }],
      },
    });
    expect(stdout).toMatch(/^pid 1\ndeck\n1: lo {4}inet 127\.0\.0\.1\/8/);
    expect(stdout).toContain('\n1\nfd\nfull\nmqueue\nnull\nown\nptmx\npts\nrandom\nshm\n');
    expect(stderr).toContain("can't create /proc/sys/net/ipv4/ip_forward: Read-only file system");
    expect(stderr).toContain('touch: /x: Read-only file system');
  });

  it('binds folders and files, read-only where asked', async () => {
    await using fixture = await LaunchFixture.create();
    await mkdir(join(fixture.dir, 'volume'));
    await writeFile(join(fixture.dir, 'hosts'), '127.0.0.1 deck\n');
    const mounts = [
      { destination: '/data', type: 'bind', source: join(fixture.dir, 'volume'), options: ['rbind'] },
      { destination: '/fixed', type: 'bind', source: join(fixture.dir, 'volume'), options: ['rbind', 'ro'] },
      {
        destination: '/etc/hosts',
        type: 'bind',
        source: join(fixture.dir, 'hosts'),
        options: ['bind', 'ro'],
      },
    ];
    const script = 'cat /etc/hosts; echo hello > /data/file; cat /fixed/file; touch /fixed/no';
    const { stdout, stderr } = await runToEnd(fixture, ['sh', '-c', script], { spec: { mounts } });
    expect(stdout).toBe('127.0.0.1 deck\nhello\n');
    expect(stderr).toContain('touch: /fixed/no: Read-only file system');
    expect(await readFile(join(fixture.dir, 'volume/file'), 'utf8')).toBe('hello\n');
  });

  it.each([
    ['rshared', true],
    ['rslave', true],
    ['rprivate', false],
  ])('a later mount of the host in an %s volume is seen inside: %s', async (propagation, seen) => {
    await using fixture = await LaunchFixture.create();
    const volume = join(fixture.dir, 'volume');
    await mkdir(join(volume, 'later'), { recursive: true });
    const mounts = [{ destination: '/data', type: 'bind', source: volume, options: ['rbind', propagation] }];
    const request = fixture.request(['sleep', '60'], { spec: { mounts } });
    const modules = ['launch', 'watch-exit'].map((name) => new URL(`./${name}.ts`, import.meta.url).href);
    // In a mount namespace of its own, where the volume is a shared mount.
    const code = `import { execFileSync } from 'node:child_process';
      import { readFileSync } from 'node:fs';
      import { launch } from ${JSON.stringify(modules[0])};
      import { watchExit } from ${JSON.stringify(modules[1])};
      execFileSync('mount', ['--bind', ${JSON.stringify(volume)}, ${JSON.stringify(volume)}]);
      execFileSync('mount', ['--make-shared', ${JSON.stringify(volume)}]);
      const { pid } = await launch(${JSON.stringify(request)});
      execFileSync('mount', ['-t', 'tmpfs', 'later', ${JSON.stringify(join(volume, 'later'))}]);
      console.log(readFileSync('/proc/' + pid + '/mountinfo', 'utf8').includes(' /data/later '));
      process.kill(pid, 'SIGKILL');
      await watchExit(${JSON.stringify(fixture.runDir)});`;
    const { stdout } = await promisify(execFile)('unshare', [
      '--mount',
      process.execPath,
      '--input-type=module',
      '-e',
      code,
    ]);
    expect(stdout).toBe(`${seen}\n`);
  });

  it('counts what a full disk cannot take, and does not stop', async () => {
    await using fixture = await LaunchFixture.create();
    const { exit } = await runToEnd(fixture, ['sh', '-c', 'echo a; sleep 0.1; echo b'], {
      request: { logPath: '/dev/full' },
    });
    expect(exit).toMatchObject({ exitCode: 0, droppedFrames: 2 });
  });

  it('loses no byte of a large output, and does not tear a frame', async () => {
    await using fixture = await LaunchFixture.create();
    const dd = (bytes: number) => `dd if=/dev/zero bs=${bytes} count=20000`;
    const script = `${dd(1000)} 2>/dev/null & ${dd(999)} >&2 2>/dev/null; wait`;
    const { stdout, stderr, exit } = await runToEnd(fixture, ['sh', '-c', script]);
    expect(exit).toMatchObject({ exitCode: 0, droppedFrames: 0 });
    expect([stdout.length, stderr.length]).toEqual([20_000_000, 19_980_000]);
  });

  it('follows the log until its writer has ended', async () => {
    await using fixture = await LaunchFixture.create();
    await launch(fixture.request(['sh', '-c', 'for i in 1 2 3; do echo $i; sleep 0.05; done']));
    const ended = new AbortController();
    void watchExit(fixture.runDir).then(() => ended.abort());
    let text = '';
    for await (const { data } of readLogFrames(join(fixture.dir, 'log'), {
      follow: true,
      ended: ended.signal,
    }))
      text += data.toString();
    expect(text).toBe('1\n2\n3\n');
  });
});
