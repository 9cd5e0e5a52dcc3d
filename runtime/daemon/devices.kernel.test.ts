import { readdirSync, readFileSync } from 'node:fs';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon, testImage, whyNoDaemon } from './daemon-fixture.ts';

/** A block device of the host that can be opened here: `major minor`. */
function hostBlockDevice(): string | undefined {
  const names = readdirSync('/sys/class/block').filter((name) => !/^(loop|ram|zram|nbd|fd|sr)/.test(name));
  const found = names.map((name) => readFileSync(`/sys/class/block/${name}/dev`, 'utf8').trim());
  return found[0]?.replace(':', ' ');
}

function hasAllCapabilities(): boolean {
  const held = /^CapEff:\t(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const last = BigInt(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8').trim());
  return BigInt(`0x${held}`) === (1n << (last + 1n)) - 1n;
}

const device = hostBlockDevice();
const reason = whyNoDaemon() || (device === undefined ? 'the host has no disk' : '');

describe.skipIf(reason !== '')(`devices of a container${reason && ` (skipped: ${reason})`}`, () => {
  let daemon: TestDaemon;

  beforeAll(async () => {
    daemon = await TestDaemon.start('overlay');
    await daemon.loadImage();
  });
  afterEach(async () => {
    for (const { Id } of await daemon.docker.listContainers({ all: true })) {
      await daemon.docker.getContainer(Id).remove({ force: true });
    }
    expect(await daemon.leftovers()).toEqual([]);
  });
  afterAll(async () => await daemon[Symbol.asyncDispose]());

  async function outputOf(script: string, HostConfig: Docker.HostConfig = {}): Promise<string> {
    const container = await daemon.docker.createContainer({
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
    const container = await daemon.docker.createContainer({ Image: testImage, Cmd: ['sleep', '1000'] });
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

  test.skipIf(!hasAllCapabilities())(
    'a privileged container opens every device (needs all capabilities)',
    async () => {
      expect(await outputOf(openDisk, { Privileged: true })).toBe('made\nopened\n');
    },
  );
});
