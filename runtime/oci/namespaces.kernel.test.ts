import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Hook } from '../base/oci.ts';
import { readMountInfo } from '../kernel/mountinfo.ts';
import { describeOci } from './oci-suite.ts';
import { defaultSpec } from './spec-template.ts';

const others = defaultSpec.linux.namespaces.filter(({ type }) => type !== 'mount');
const ownNamespace = ['readlink', '/proc/self/ns/mnt'];
const sh = (script: string): Hook => ({
  path: '/bin/sh',
  args: ['sh', '-ec', script],
  env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
});

describeOci('hull oci: mount namespaces', (fixture) => {
  it('joins one by its path', async () => {
    const f = fixture();
    const holder = spawn('unshare', ['-m', 'sleep', '100'], { stdio: 'ignore' });
    try {
      await once(holder, 'spawn');
      const path = `/proc/${holder.pid}/ns/mnt`;
      await expect.poll(() => readlinkSync(path)).not.toBe(readlinkSync('/proc/self/ns/mnt'));
      await f.configure(ownNamespace, { linux: { namespaces: [...others, { type: 'mount', path }] } });
      expect(await f.oci('run', f.id())).toEqual({ code: 0, stdout: `${readlinkSync(path)}\n`, stderr: '' });
    } finally {
      holder.kill('SIGKILL');
    }
  });

  it("uses the host's, confined by chroot, and takes its mounts away again", async () => {
    const f = fixture();
    const before = readMountInfo('self').length;
    await f.configure(['sh', '-c', 'readlink /proc/self/ns/mnt; ls /'], { linux: { namespaces: others } });
    const { code, stdout, stderr } = await f.oci('run', f.id());
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(`${readlinkSync('/proc/self/ns/mnt')}\nbin\ndev\nproc\nsys\n`);
    expect(readMountInfo('self')).toHaveLength(before);
    await f.configure(['/nowhere'], { linux: { namespaces: others } });
    expect(await f.oci('run', f.id())).toMatchObject({ code: 1 });
    expect(readMountInfo('self')).toHaveLength(before);
  });
});

describeOci('hull oci: what hooks of creation see', (fixture) => {
  it('the mounts below the root at its place on the host; what they mount there is in the container', async () => {
    const f = fixture();
    const place = `${f.dir}/rootfs`;
    await f.configure(['cat', '/hooks', '/made/runtime', '/made/container'], {
      hooks: {
        createRuntime: [
          sh(
            `pid=$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/'); nsenter -t $pid -m sh -ec 'test -e ${place}/proc/1/ns; mkdir -p ${place}/made; mount -t tmpfs made ${place}/made; echo runtime > ${place}/made/runtime'`,
          ),
        ],
        createContainer: [
          sh('test -e ./proc/1/ns; test -c dev/null; pwd > hooks; echo container > made/container'),
        ],
      },
    });
    for (const options of [[], ['--no-pivot']])
      expect(await f.oci('run', ...options, f.id())).toEqual({
        code: 0,
        stdout: `${place}\nruntime\ncontainer\n`,
        stderr: '',
      });
  });
});
