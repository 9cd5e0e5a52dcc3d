import { existsSync, readFileSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findResctrl } from '../cgroups/resctrl.ts';
import { describeOci } from './oci-suite.ts';
import { defaultSpec } from './spec-template.ts';

const hasResctrl = findResctrl() !== undefined;
const verbs =
  'create delete events exec features kill list pause ps resume run spec start state update'.split(' ');

describeOci('what hull oci says', (fixture) => {
  it('its version, in lines that engines read', async () => {
    const { code, stdout } = await fixture().oci('--version');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^hull-oci version \d+\.\d+\.\d+\n(commit: [0-9a-f]{40}\n)?spec: 1\.2\.0\n/);
  });

  it('all that under the name of a link to it, as in the place of runc', async () => {
    const f = fixture();
    const link = join(f.dir, 'runc');
    await symlink(join(import.meta.dirname, '../bin/hull-oci'), link);
    expect((await f.command(link, '--version')).stdout).toMatch(/^runc version \d/);
    expect((await f.command(link, 'run', '-h')).stdout).toMatch(/^NAME:\n {3}runc run - /);
    expect((await f.command(link, '--root', f.root, 'list', '-q')).stdout).toBe('');
  });

  it('that it has no checkpoints', async () => {
    for (const verb of ['checkpoint', 'restore'])
      expect(await fixture().oci(verb, 'a')).toMatchObject({
        code: 1,
        stderr: `hull oci: Cannot ${verb} a container: hull has no checkpoints\n`,
      });
  });

  it('help: all verbs, and of each verb its options', async () => {
    const { code, stdout } = await fixture().oci('--help');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^NAME:\n {3}hull-oci - /);
    for (const verb of verbs) expect(stdout).toMatch(new RegExp(`^ {3}${verb} +\\S`, 'm'));
    const of = await Promise.all(verbs.map(async (verb) => [verb, await fixture().oci(verb, '-h')] as const));
    for (const [verb, told] of of)
      expect(told, verb).toEqual({
        code: 0,
        stdout: expect.stringMatching(new RegExp(`^NAME:\\n {3}hull-oci ${verb} - [^]*--help, -h\\n$`)),
        stderr: '',
      });
    expect(of.find(([verb]) => verb === 'run')?.[1].stdout).toContain('--bundle value, -b value');
    expect(await fixture().oci('dance', '-h')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("No help topic for 'dance'"),
    });
  });

  it.each([
    ['text', /^time="[^"]+" level=debug msg="/],
    ['json', /^\{"level":"debug","msg":"/],
  ])('with --debug what it does, in %s', async (format, line) => {
    const f = fixture();
    await f.configure(['sh', '-c', 'echo out; exit 3']);
    const plain = await f.oci('--log-format', format, 'run', f.id());
    expect(plain).toEqual({ code: 3, stdout: 'out\n', stderr: '' });
    const told = await f.oci('--debug', '--log-format', format, 'run', f.id());
    expect(told).toMatchObject({ code: 3, stdout: 'out\n' });
    for (const each of told.stderr.trimEnd().split('\n')) expect(each).toMatch(line);
    const log = join(f.dir, `log-${format}`);
    const logged = await f.oci('--debug', '--log', log, '--log-format', format, 'run', f.id());
    expect(logged).toEqual(plain);
    const lines = readFileSync(log, 'utf8');
    for (const part of ['bundle', 'in cgroup', 'waits for the start', 'told to go on', 'deleted'])
      expect(lines).toContain(part);
  });

  it.skipIf(existsSync('/sys/fs/selinux/enforce'))(
    'that no mount can have a SELinux label here',
    async () => {
      const f = fixture();
      await f.configure(['true'], { linux: { mountLabel: 'system_u:object_r:svirt_sandbox_file_t:s0' } });
      expect(await f.oci('run', f.id())).toEqual({
        code: 0,
        stdout: '',
        stderr: 'hull oci: linux.mountLabel is passed over: SELinux is not enabled in this kernel\n',
      });
    },
  );

  it.skipIf(hasResctrl)(
    `that there is no resctrl for linux.intelRdt, and which field is wrong${hasResctrl ? ' (skipped: there is one)' : ''}`,
    async () => {
      const f = fixture();
      await f.configure(['true'], { linux: { intelRdt: { l3CacheSchema: 'L3:0=f' } } });
      expect(await f.oci('run', f.id())).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/linux\.intelRdt: found no mounted resctrl file system/),
      });
      await f.configure(['true'], { linux: { intelRdt: { memBwSchema: 'L3:0=f' } } });
      expect((await f.oci('run', f.id())).stderr).toContain('linux.intelRdt.memBwSchema: found "L3:0=f"');
    },
  );

  it('which capabilities cannot be granted, and grants the others', async () => {
    const f = fixture();
    const names = ['CAP_KILL', 'CAP_OF_ANOTHER_KERNEL'];
    const process = { capabilities: { bounding: names, permitted: names, effective: names } };
    await f.configure(
      ['sh', '-c', 'while read -r line; do case $line in CapEff*) echo $line; esac; done </proc/self/status'],
      { process },
    );
    const passedOver =
      'hull oci: process.capabilities: CAP_OF_ANOTHER_KERNEL cannot be granted here and are passed over\n';
    expect(await f.oci('run', f.id())).toEqual({
      code: 0,
      stdout: 'CapEff: 0000000000000020\n',
      stderr: passedOver,
    });
  });

  it('nothing of capabilities that only a new user namespace can grant', async () => {
    const f = fixture();
    const names = ['CAP_SYS_RESOURCE', 'CAP_SYS_MODULE'];
    const process = { capabilities: { bounding: names, permitted: names, effective: names } };
    const map = [{ containerID: 0, hostID: 0, size: 65536 }];
    const namespaces = [...defaultSpec.linux.namespaces, { type: 'user' } as const];
    await f.configure(
      ['sh', '-c', 'while read -r line; do case $line in CapEff*) echo $line; esac; done </proc/self/status'],
      {
        process,
        linux: { namespaces, uidMappings: map, gidMappings: map },
      },
    );
    // Without CAP_SYS_RESOURCE of ours: as an unprivileged caller, and as root in many containers.
    const [file = '', ...words] = f.words('run', f.id());
    const limited = [
      'setpriv',
      '--bounding-set',
      '-sys_resource',
      '--inh-caps',
      '-sys_resource',
      file,
      ...words,
    ];
    expect(await f.command(...limited)).toEqual({
      code: 0,
      stdout: 'CapEff: 0000000001010000\n',
      stderr: '',
    });
  });
});
