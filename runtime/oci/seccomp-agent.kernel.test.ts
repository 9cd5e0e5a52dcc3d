import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeOci } from './oci-suite.ts';

/** An agent that takes one listener and answers the first call with ENOMEDIUM (linux/seccomp.h, struct seccomp_notif of 80 bytes). */
const agent = `import array, fcntl, json, os, socket, struct, subprocess, sys
s = socket.socket(socket.AF_UNIX); s.bind('agent.sock'); s.listen(1)
run = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
s.settimeout(20)
c, _ = s.accept()
data, anc, _, _ = c.recvmsg(100000, socket.CMSG_SPACE(4))
fd = array.array('i', anc[0][2])[0]
state = json.loads(data)
notif = bytearray(80)
fcntl.ioctl(fd, 0xc0502100, notif)
(id,) = struct.unpack_from('Q', notif)
fcntl.ioctl(fd, 0xc0182101, struct.pack('=QqiI', id, 0, -123, 0))
out, err = run.communicate(timeout=20)
print(json.dumps({'state': state, 'code': run.returncode, 'err': err.decode()}))`;

const seccomp = {
  defaultAction: 'SCMP_ACT_ALLOW' as const,
  listenerPath: 'agent.sock',
  listenerMetadata: 'meta',
  syscalls: [{ names: ['unlinkat', 'unlink'], action: 'SCMP_ACT_NOTIFY' as const }],
};

describeOci('hull oci: SCMP_ACT_NOTIFY', (fixture) => {
  it.each([true, false])(
    'hands the listener to the agent, with noNewPrivileges %s',
    async (noNewPrivileges) => {
      const f = fixture();
      const id = f.id();
      await f.configure(['busybox', 'rm', '/file'], { linux: { seccomp }, process: { noNewPrivileges } });
      writeFileSync(join(f.dir, 'rootfs/file'), '');
      await f.command('rm', '-f', 'agent.sock');
      const { stdout, stderr } = await f.command('python3', '-c', agent, ...f.words('run', id));
      expect(stderr).toBe('');
      const seen = JSON.parse(stdout) as { readonly state: object; readonly err: string };
      expect(seen).toMatchObject({
        code: 1,
        state: {
          fds: ['seccompFd'],
          metadata: 'meta',
          pid: expect.any(Number),
          state: { id, status: 'creating' },
        },
      });
      expect(seen.err).toContain('No medium found');
    },
  );

  it('says which agent it cannot reach', async () => {
    await fixture().configure(['true'], {
      linux: { seccomp: { ...seccomp, listenerPath: '/nowhere.sock' } },
    });
    expect(await fixture().oci('run', fixture().id())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('failed to connect with seccomp agent'),
    });
  });
});
