import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOci } from './oci-suite.ts';
import { defaultSpec } from './spec-template.ts';

const first = 700_000;
const maps = `0 ${first} 65536\n`;
const denied = whyNot();

/** As podman calls us for a user without privileges: from a user namespace of its own, as root there. */
describeOci(`hull oci as root of a user namespace${denied ? ` (skipped: ${denied})` : ''}`, (fixture) => {
  let holder: ChildProcess;
  beforeAll(async () => {
    if (denied) return;
    const words = ['-Um', 'sh', '-c', 'echo; exec sleep 1000'];
    const ready = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    holder = ready;
    await once(ready.stdout, 'data');
    for (const kind of ['uid', 'gid']) writeFileSync(`/proc/${holder.pid}/${kind}_map`, maps);
    mkdirSync(fixture().root, { recursive: true });
    execFileSync('chown', ['-R', `${first}:${first}`, fixture().dir]);
  });
  afterAll(() => holder?.kill('SIGKILL'));
  const enter = ['-U', '-m', '-S', '0', '-G', '0', 'sh', '-c', 'cd "$0" && exec "$@"'];
  const inside = async (...words: readonly string[]) =>
    await fixture().command('nsenter', '-t', String(holder.pid), ...enter, fixture().dir, ...words);
  const oci = (...words: readonly string[]) => inside(...fixture().words(...words));

  it.skipIf(denied)('runs, executes in, kills and deletes a container', async () => {
    const f = fixture();
    await f.configure(['sleep', '100']);
    const id = f.id();
    const run = ['sh', '-c', '"$0" "$@" </dev/null >err 2>&1', ...f.words('run', '--detach', id)];
    const { code } = await inside(...run);
    expect({ code, text: readFileSync(join(f.dir, 'err'), 'utf8') }).toEqual({ code: 0, text: '' });
    const script = 'id; echo gone > /dev/null; readlink /dev/ptmx; cat /proc/self/uid_map; ls /sys/fs/cgroup';
    const { stdout, stderr } = await oci('exec', '-u', '5:6', id, 'sh', '-c', script);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^uid=5 gid=6\npts\/ptmx\n +0 +700000 +65536\n./);
    expect(await oci('kill', id, 'KILL')).toMatchObject({ code: 0 });
    await expect.poll(async () => (await oci('delete', id)).code, { timeout: 20_000 }).toBe(0);
  });

  it.skipIf(denied)('a terminal, the devices of the host, and its network', async () => {
    const f = fixture();
    const script = 'tty; ls -l /dev/null /dev/tty; echo $(ls /sys/class/net)';
    const namespaces = defaultSpec.linux.namespaces.filter(({ type }) => type !== 'network');
    const sys = ['rbind', 'ro', 'nosuid', 'noexec', 'nodev'];
    const mounts = (defaultSpec.mounts ?? []).map((mount) =>
      mount.destination === '/sys' ? { ...mount, type: 'bind', source: '/sys', options: sys } : mount,
    );
    await f.configure(['sh', '-c', script], {
      process: { terminal: true },
      spec: { mounts: mounts.filter(({ type }) => type !== 'cgroup') },
      linux: { namespaces },
    });
    const { code, stdout } = await oci('run', f.id());
    const links = execFileSync('ls', ['/sys/class/net'], { encoding: 'utf8' }).trim().split('\n').join(' ');
    expect({ code, lines: stdout.trimEnd().split('\r\n') }).toEqual({
      code: 0,
      lines: [
        '/dev/pts/0',
        expect.stringMatching(/^crw.* 1, +3 /),
        expect.stringMatching(/^crw.* 5, +0 /),
        links,
      ],
    });
  });

  it.skipIf(denied)('an oom score that it may not lower stays as it is', async () => {
    const f = fixture();
    await f.configure(['cat', '/proc/self/oom_score_adj'], { process: { oomScoreAdj: -999 } });
    const own = readFileSync('/proc/self/oom_score_adj', 'utf8');
    expect(await oci('run', f.id())).toEqual({
      code: 0,
      stdout: own,
      stderr: `hull oci: process.oomScoreAdj: found -999, and without privileges it stays at ${own}`,
    });
  });

  it.skipIf(denied)('keeps its containers in the folder of its user', async () => {
    const f = fixture();
    const [program = ''] = f.words();
    const own = join(f.dir, 'runtime');
    mkdirSync(own);
    execFileSync('chown', [`${first}:${first}`, own]);
    await f.configure(['true']);
    const asUser = ['env', '-u', 'USER', `XDG_RUNTIME_DIR=${own}`, program];
    expect(await inside(...asUser, 'run', f.id())).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(existsSync(join(own, 'hull-oci'))).toBe(true);
  });

  it.skipIf(denied)('limits are refused where no cgroup can be made', async () => {
    const f = fixture();
    await f.configure(['true'], { linux: { resources: { pids: { limit: 10 } } } });
    expect(await oci('run', f.id())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('linux.resources.pids'),
    });
  });
});

function whyNot(): string | undefined {
  const most = '/proc/sys/user/max_user_namespaces';
  if (existsSync(most) && readFileSync(most, 'utf8').trim() === '0') return `${most} is 0`;
  const [, , count] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
  return Number(count) < first + 65_536 ? `the ids from ${first} on are not mapped here` : undefined;
}
