import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { expect, test } from 'vitest';
import { testImage, whyNoDaemon } from './daemon-fixture.ts';
import { describeDaemon } from './daemon-suite.ts';

/** A block device of the host that can be opened here: `major minor`. */
function hostBlockDevice(): string | undefined {
  const names = readdirSync('/sys/class/block').filter((name) => !/^(loop|ram|zram|nbd|fd|sr)/.test(name));
  const found = names.map((name) => readFileSync(`/sys/class/block/${name}/dev`, 'utf8').trim());
  return found[0]?.replace(':', ' ');
}

const device = hostBlockDevice();
const reason = whyNoDaemon() || (device === undefined ? 'the host has no disk' : '');

describeDaemon('devices of a container', { why: reason }, (world) => {
  async function outputOf(script: string, HostConfig: Docker.HostConfig = {}): Promise<string> {
    const container = await world.daemon.docker.createContainer({
      Image: testImage,
      Cmd: ['sh', '-c', `{ ${script}; } 2>&1`],
      HostConfig,
    });
    await container.start();
    await container.wait();
    const framed = await container.logs({ stdout: true, stderr: true, follow: false });
    let text = '';
    for (let at = 0; at + 8 <= framed.length; ) {
      const size = framed.readUInt32BE(at + 4);
      text += framed.subarray(at + 8, at + 8 + size).toString('utf8');
      at += 8 + size;
    }
    return text;
  }

  const openDisk = `busybox mknod /disk b ${device} && echo made; busybox head -c 1 /disk >/dev/null && echo opened`;

  test('a default container makes the node of a host disk, as it has CAP_MKNOD, and cannot open it', async () => {
    const output = await outputOf(openDisk);
    expect(output).toContain('made\n');
    expect(output).toMatch(/\/disk: Operation not permitted/);
    expect(output).not.toContain('opened');
  });

  test('nor can an exec in it', async () => {
    const container = await world.daemon.docker.createContainer({ Image: testImage, Cmd: ['sleep', '1000'] });
    await container.start();
    const exec = await container.exec({
      Cmd: ['sh', '-c', openDisk],
      AttachStdout: true,
      AttachStderr: true,
    });
    let text = '';
    for await (const chunk of await exec.start({})) text += chunk;
    expect(text).toMatch(/Operation not permitted/);
    expect(text).not.toContain('opened');
  });

  test('the usual devices work, mknod of them included', async () => {
    const each = 'null zero full random urandom'
      .split(' ')
      .map((name) => `busybox head -c 1 /dev/${name} >/dev/null && echo ${name}`);
    const output = await outputOf(
      [...each, 'echo x >/dev/null && busybox mknod /own c 1 3 && echo x >/own && echo own'].join('; '),
    );
    expect(output.trim().split('\n')).toEqual(['null', 'zero', 'full', 'random', 'urandom', 'own']);
  });

  test('a privileged container has what the daemon may have, and opens every device', async () => {
    const own = /^CapBnd:.*$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[0];
    const output = await outputOf(`busybox grep CapEff /proc/self/status; ${openDisk}`, { Privileged: true });
    expect(output).toContain(`${own?.replace('Bnd', 'Eff')}\nmade\n`);
    // A machine that is a container itself may not open its disk either.
    const node = join(world.daemon.folder, 'disk');
    execFileSync('mknod', [node, 'b', ...(device?.split(' ') ?? [])]);
    const here = spawnSync('head', ['-c', '1', node]);
    expect(output.includes('opened')).toBe(here.status === 0);
  });
});
