import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findHierarchies } from '../cgroups/hierarchies.ts';
import { describeOci } from './oci-suite.ts';
import { defaultSpec } from './spec-template.ts';

const hierarchies = await findHierarchies().catch(() => []);
const v2 = hierarchies.length === 1 ? hierarchies.find(({ version }) => version === 2) : undefined;

const namespaces = defaultSpec.linux.namespaces.filter(({ type }) => type !== 'cgroup');

describeOci('hull oci exec', (fixture) => {
  let id: string;

  beforeEach(async () => {
    const f = fixture();
    id = f.id();
    await f.configure(['sleep', '100'], { linux: { namespaces } });
    const run = `"$0" "$@" </dev/null >/dev/null 2>&1`;
    expect(await f.command('sh', '-c', run, ...f.words('run', '--detach', id))).toMatchObject({ code: 0 });
  });
  afterEach(async () => {
    await fixture().oci('delete', '--force', id);
  });

  it('copies a terminal to the caller’s, where no console socket takes it', async () => {
    const input = join(fixture().dir, 'input');
    execFileSync('mkfifo', [input]);
    const command = fixture().words('exec', '-t', id, 'sh', '-c', '"tty; exit 5"').join(' ');
    // At the end of its input script(1) types ^D. Typed before the terminal is raw, the kernel keeps it as a NUL, which is read when it
    // is raw and which the container's terminal echoes as ^@: so the input has no end.
    const seen = await fixture().command(
      'sh',
      '-c',
      'exec script -qec "$1" /dev/null <>"$2"',
      'sh',
      command,
      input,
    );
    expect(seen).toMatchObject({ code: 5, stdout: expect.stringMatching(/^\/dev\/pts\/\d+\r+\n$/) });
  });

  it('copies it to a pipe as well', async () => {
    expect(await fixture().oci('exec', '-t', id, 'readlink', '/proc/self/fd/1')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\/dev\/pts\/\d+\r\n$/),
    });
    expect(await fixture().oci('exec', '-t', id, 'nope')).toMatchObject({ code: 255 });
  });

  it('runs on the processors that process.execCPUAffinity names', async () => {
    const process = {
      args: ['cat', '/proc/self/status'],
      cwd: '/',
      execCPUAffinity: { initial: '0', final: '0' },
    };
    const file = join(fixture().dir, 'process.json');
    writeFileSync(file, JSON.stringify(process));
    expect((await fixture().oci('exec', '--process', file, id)).stdout).toContain('Cpus_allowed_list:\t0\n');
    writeFileSync(file, JSON.stringify({ ...process, execCPUAffinity: { final: 'all' } }));
    expect(await fixture().oci('exec', '--process', file, id)).toMatchObject({
      code: 255,
      stderr: expect.stringContaining('process.execCPUAffinity.final "all"'),
    });
  });

  it('sets priorities as run does', async () => {
    const process = { args: ['cat', '/proc/self/sched'], cwd: '/', scheduler: { policy: 'SCHED_BATCH' } };
    const file = join(fixture().dir, 'process.json');
    writeFileSync(file, JSON.stringify(process));
    expect((await fixture().oci('exec', '--process', file, id)).stdout).toMatch(/^policy\s*:\s*3$/m);
  });

  it.each([
    [['--cgroup', '..'], '.. is not a sub cgroup path'],
    [['--cgroup', 'nowhere'], '/nowhere/cgroup.procs: no such file'],
    [['--cgroup', 'nothing:/'], 'unknown controller'],
    [['--cgroup', 'a', '--cgroup', 'b'], 'invalid --cgroup argument'],
  ])('refuses %j', async (options, text) => {
    expect(await fixture().oci('exec', ...options, id, 'true')).toMatchObject({
      code: 255,
      stderr: expect.stringContaining(text),
    });
  });

  it.skipIf(!v2)(
    `goes where the first process is, once its group is for groups alone${v2 ? '' : ' (skipped: not version 2 alone)'}`,
    async () => {
      const groupOf = async () => (await fixture().oci('exec', id, 'cat', '/proc/self/cgroup')).stdout;
      const own = await groupOf();
      const { pid } = JSON.parse((await fixture().oci('state', id)).stdout) as { readonly pid: number };
      const folder = join(v2?.root ?? '', own.trim().slice('0::'.length));
      mkdirSync(join(folder, 'inner'));
      writeFileSync(join(folder, 'inner/cgroup.procs'), String(pid));
      expect(await groupOf()).toBe(own);
      writeFileSync(join(folder, 'cgroup.subtree_control'), '+memory');
      expect(await groupOf()).toBe(own.replace('\n', '/inner\n'));
    },
  );

  it('takes the container’s own cgroup as --cgroup /', async () => {
    const own = await fixture().oci('exec', id, 'cat', '/proc/self/cgroup');
    expect(own.stdout).toContain(id);
    expect(await fixture().oci('exec', '--cgroup', '/', id, 'cat', '/proc/self/cgroup')).toEqual(own);
  });

  it('hands labels to the security modules, or names the one that is not there', async () => {
    const enabled = (() => {
      try {
        return readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y');
      } catch {
        return false;
      }
    })();
    const { code, stderr } = await fixture().oci('exec', '--apparmor', 'no-such-profile', id, 'true');
    expect(code).toBe(255);
    expect(stderr).toContain(
      enabled ? 'choose the AppArmor profile' : 'process.apparmorProfile "no-such-profile"',
    );
  });
});
